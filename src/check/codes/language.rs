//! Codes of the language: how a text is read, included and evaluated; and the sections at its top.

use super::{Code, row};

#[rustfmt::skip]
pub(super) const CODES: &[Code] = &[
    row("FLM0100", "the configuration cannot be read", "The file is not there, is a folder, may not be read by this user, or is not in the encoding that --conf-encoding names.", "flumen check no-such-file.conf"),
    row("FLM0101", "a closing tag without its opening tag", "A section is closed by the name it was opened with. The tag found here closes nothing, or another section than the innermost open one: mostly a tag was mistyped, or one was forgotten above.", "<match a>\n  @type null\n</source>"),
    row("FLM0102", "a section is not closed", "The text ends while a section is open. The place is that of its opening tag; its closing tag is missing, or was taken for that of another section.", "<match a>\n  @type null"),
    row("FLM0103", "a closing tag without its bracket", "A closing tag is </name>, with nothing but blanks inside.", "<match a>\n  @type null\n</match"),
    row("FLM0104", "something stands where the line should end", "Tags, quoted values and JSON values end their line; only a comment may follow. Mostly a quote closes too early, or two things were written on one line.", "path \"/var/log\" /app"),
    row("FLM0105", "a quoted value does not end", "A value in single quotes ends on its line. One in double quotes may go on, but not over a blank line. The quote at its end is missing, or one inside needs a backslash.", "path '/var/log"),
    row("FLM0106", "an escape that does not exist", "In double quotes a backslash before a letter or digit is one of \\n \\r \\t \\f \\b \\0. Anything else is refused: write two backslashes for one, or use single quotes, in which only \\' and \\\\ mean something.", "pattern \"\\d+\""),
    row("FLM0107", "embedded Ruby cannot be evaluated", "What stands in #{...} is no Ruby, raises an error, or uses a part of Ruby that flumen does not have. While checking, files are not read and commands are not run.", "port \"#{ENV.fetch('PORT')}\""),
    row("FLM0108", "JSON that is not complete", "A value that starts with [ or { is JSON, over as many lines as it needs. A text or an expression that starts with a bracket has to be quoted.", "hosts [\"a\", \"b\""),
    row("FLM0109", "a parameter with @ that is not one of the four", "Only @type, @id, @label and @log_level exist; other names with @ are reserved in these sections.", "<match a>\n  @typ null\n</match>"),
    row("FLM0110", "a file cannot be included", "The file is not there or cannot be read, includes itself, or its name has characters that no path here may have.", "@include extra.d"),
    row("FLM0111", "an include matches no file", "The pattern is fine and no file fits. Fluentd says nothing; most often the path is relative to another folder than was thought: it is relative to the file with the include.", "@include conf.d/*.conf"),
    row("FLM0112", "an include from another machine", "Fluentd fetches http and ftp URLs at each start. Flumen does not: a configuration should not change by what a server says. Copy the file beside this one.", "@include http://config.example/fluent.conf"),
    row("FLM0113", "nested too deep", "Sections, or YAML values, are nested deeper than any real configuration. Mostly a closing tag is missing again and again.", "<a>\n<a>\n<a>\n..."),
    row("FLM0114", "the old form of include", "'include' without @ still works and is deprecated; inside a section it is an ordinary parameter and includes nothing.", "include extra.conf"),
    row("FLM0116", "a line that is neither a parameter nor a tag", "In the old syntax (--use-v0-config) each line is a name with a value, or a tag.", "= 5"),
    row("FLM0117", "YAML that is no configuration", "The text is not YAML, or not a map with 'system' and 'config' at the top, or something in it is neither section nor parameter.", "config: 5"),
    row("FLM0118", "an opening tag does not end", "The bracket at the end of the tag is missing on its line.", "<match a\n  @type null\n</match>"),
    row("FLM0119", "a parameter with @ in an inner section", "It works today; Fluentd says that it will be refused one day.", "<match a>\n  @type null\n  <x>\n    @y 1\n  </x>\n</match>"),
    row("FLM0120", "a parameter is given more than once", "The last value counts, for both programs, and the others are lost in silence. Where each is wanted, the parameter takes a list, or there is a section that may be repeated.", "port 24224\nport 24225"),
    row("FLM0121", "a name without its @", "type, id and log_level are called @type, @id and @log_level since version 0.12. The old names still work.", "type stdout"),
    row("FLM0122", "the name of a parameter is nil", "Embedded Ruby in the name of a parameter gave use_nil or use_default.", "\"#{use_nil}\" 5"),
    row("FLM0123", "an include that takes a backup along", "A pattern such as *.conf finds a file that looks like a copy somebody kept: its sections come twice.", "@include conf.d/*.conf   # with app.bak.conf beside app.conf"),
    row("FLM0124", "a configuration in Ruby", "Fluentd reads files that end in .rb as Ruby. Flumen does not: write the configuration as fluent.conf or YAML.", "flumen -c fluent.rb"),
    row("FLM0125", "a file of the include folder is read", "Files in the folder that config_include_dir or FLUENT_CONF_INCLUDE_DIR names are appended to the configuration.", "<system>\n  config_include_dir /etc/fluent/conf.d\n</system>"),
    row("FLM0130", "two <system> sections", "There may be one only; put all of it there.", "<system>\n</system>\n<system>\n</system>"),
    row("FLM0131", "the number of workers", "There is at least one worker.", "<system>\n  workers 0\n</system>"),
    row("FLM0132", "a section of <system> without effect", "What it is for does not exist here: there is one process, and it counts by itself.", "<system>\n  <counter_server>\n    scope a\n    backup_path /tmp/b\n  </counter_server>\n</system>"),
    row("FLM0133", "a parameter of <system> without effect", "What it is for does not exist here; the message says why. The configuration runs all the same.", "<system>\n  enable_jit true\n</system>"),
    row("FLM0134", "a value of <dead_letter>", "The folder for events that no output takes has to have a name and room for at least one.", "<system>\n  <dead_letter>\n    path \"\"\n  </dead_letter>\n</system>"),
    row("FLM0135", "the address for commands by HTTP", "rpc_endpoint is an address and a port: 127.0.0.1:24444.", "<system>\n  rpc_endpoint here\n</system>"),
    row("FLM0136", "the number of threads", "At least one thread has to receive, filter and send; more than there are processors is of no use.", "<system>\n  threads 0\n</system>"),
];
