//! Codes of what only the checker says: nothing is wrong with any single part, and yet it is hardly meant.

use super::{Code, row};

#[rustfmt::skip]
pub(super) const CODES: &[Code] = &[
    row("FLM0701", "a # cuts a value", "Behind a blank, # starts a comment, in the middle of an expression too. What was meant to follow is not part of the value. Put the value in double quotes, or write the character as \\x23 in an expression.", "expression /^(?<a>\\w+) #(?<b>\\d+)$/"),
    row("FLM0702", "a variable of the environment is not set", "Embedded Ruby reads a variable that is not set where the check runs, and gives nothing in its place: the value is empty. --env-file gives the check the variables of the real place.", "host \"#{ENV['ES_HOST']}\""),
    row("FLM0703", "a secret in clear text", "Everybody who can read the file, its backups and its history knows it.", "password s3cret"),
    row("FLM0710", "a <match> that is never reached", "The first <match> that fits takes an event; those above leave nothing for this one. Fluentd says nothing.", "<match **>\n  @type stdout\n</match>\n<match app.**>\n  @type null\n</match>"),
    row("FLM0711", "a <filter> that is never reached", "Filters work on events on their way to the <match> that takes them; a filter below it never sees them.", "<match app.**>\n  @type stdout\n</match>\n<filter app.**>\n  @type grep\n</filter>"),
    row("FLM0712", "a <filter> for tags that nothing has", "No source, and no rewritten tag, fits the pattern.", "<source>\n  @type tail\n  tag app.web\n  ...\n</source>\n<filter ap.**>\n  @type stdout\n</filter>"),
    row("FLM0713", "a <match> for tags that nothing has", "No source, and no rewritten tag, fits the pattern.", "<source>\n  @type tail\n  tag app.web.nginx\n  ...\n</source>\n<match app.*>\n  @type stdout\n</match>"),
    row("FLM0714", "a source whose events nothing takes", "No <match> fits its tag: the events are thrown away, with a warning for each.", "<source>\n  @type tail\n  tag app.web\n  ...\n</source>\n<match db.**>\n  @type stdout\n</match>"),
    row("FLM0715", "a label that nobody sends to", "No source and no output names it in @label.", "<label @OLD>\n  <match **>\n    @type null\n  </match>\n</label>"),
    row("FLM0717", "labels in a circle", "Relabelled events come back to where they were, for ever.", "<label @A>\n  <match **>\n    @type relabel\n    @label @B\n  </match>\n</label>\n<label @B>\n  <match **>\n    @type relabel\n    @label @A\n  </match>\n</label>"),
    row("FLM0718", "errors that come back", "What <label @ERROR> sends to another label can fail there, and comes back as an error again.", "<label @ERROR>\n  <match **>\n    @type relabel\n    @label @MAIN\n  </match>\n</label>"),
    row("FLM0719", "a new tag that the same section takes", "An event with a new tag starts again at the top of its router. Where the new tag fits the section that gave it, it goes round for ever.", "<match app.**>\n  @type rewrite_tag_filter\n  <rule>\n    key level\n    pattern /^(.+)$/\n    tag app.$1\n  </rule>\n</match>"),
    row("FLM0721", "an expression that may take for ever", "A repetition of something that is a repetition itself can divide a text in exponentially many ways; all of them are tried before it is said that the text does not match. One such line stops a worker of Fluentd; flumen bounds the work, and counts the line as not matching.", "expression /^(?<a>(\\w+)*)$/"),
    row("FLM0722", "groups that overwrite each other", "Two groups of one name both take part in a match; the field gets the later one.", "expression /^(?<host>\\S+) (?<host>\\S+)$/"),
    row("FLM0723", "a format of times that cannot be meant", "The format has a directive that does not exist, says a part twice, or leaves out one: %m is the month, %M the minutes; %I needs %p; %s is the whole time.", "time_format %Y-%m-%d %H:%m:%S"),
    row("FLM0724", "grok fields that overwrite each other", "A field is filled twice in one pattern, perhaps by a name within a pattern that is referred to; only the last one is kept.", "grok_pattern %{WORD:a} %{WORD:a}"),
    row("FLM0725", "a grok pattern that can never match", "Patterns are tried in order, and each matches anywhere in the text. An earlier one is the beginning of this one, or takes everything.", "<grok>\n  pattern %{IP:client}\n</grok>\n<grok>\n  pattern %{IP:client} %{WORD:method}\n</grok>"),
    row("FLM0731", "limits of a buffer that contradict each other", "A chunk can be as large as chunk_limit_size, all together as total_limit_size; the buffer is full before the first chunk is.", "chunk_limit_size 1g\ntotal_limit_size 512m"),
    row("FLM0732", "two limits of which one counts", "queue_limit_length sets the total to that many chunks; total_limit_size beside it has no effect.", "queue_limit_length 64\ntotal_limit_size 1g"),
    row("FLM0733", "retries that contradict each other", "retry_forever leaves retry_timeout and retry_max_times without effect; the longest pause is not shorter than the first.", "retry_forever true\nretry_max_times 5"),
    row("FLM0734", "timekey without time", "Chunks are by time only where 'time' is among the chunk keys.", "<buffer tag>\n  timekey 1h\n</buffer>"),
    row("FLM0735", "acknowledged events in memory", "A forward sender that asks for acks throws its copy away once it has one. What then waits in a memory buffer is lost with the process; a file buffer keeps it.", "<match **>\n  @type elasticsearch\n  <buffer>\n    @type memory\n  </buffer>\n</match>"),
    row("FLM0736", "a placeholder without its chunk key", "A chunk has one value for each of its keys, and for nothing else: the placeholder stays in the name as it is.", "index_name app-${app}\n<buffer tag>\n</buffer>"),
    row("FLM0741", "a port that is taken", "Two inputs listen on one address; the second cannot start.", "<source>\n  @type forward\n</source>\n<source>\n  @type forward\n</source>"),
    row("FLM0742", "a path that is used twice", "Positions, buffers and files belong to one plugin each.", "pos_file /var/log/app.pos"),
    row("FLM0751", "a flat parameter of version 0.12", "Buffers, parsers and formatters have sections of their own since version 0.14. The flat form works.", "<match a>\n  @type file\n  path /tmp/a\n  buffer_chunk_limit 8m\n</match>"),
    row("FLM0752", "flat grok parameters", "Fluentd 1.x moves 'format grok' into a <parse> section and leaves its patterns behind: it refuses the file. Flumen takes them along.", "<filter a>\n  @type parser\n  key_name log\n  format grok\n  grok_pattern %{COMBINEDAPACHELOG}\n</filter>"),
    row("FLM0753", "numbered rewrite rules", "Fluentd 1.x has dropped rewriterule1 and its like, and refuses the file. Flumen takes them.", "rewriterule1 level (.+) app.$1"),
    row("FLM0754", "grok patterns with :int only", "Fluentd leaves out each pattern that has it, and refuses a parser without patterns. Flumen takes int for integer.", "grok_pattern %{NUMBER:size:int}"),
    row("FLM0761", "a file that is not there", "The file has to be there when the program starts. --no-fs leaves out such checks.", "cert_path /etc/ssl/none.pem"),
    row("FLM0762", "a folder that cannot be written", "The user who runs the check may not write there; the program may run as another one. --no-fs leaves out such checks.", "path /root/logs/app"),
    row("FLM0763", "a folder that is not there", "The files to follow are in a folder that does not exist on this machine. --no-fs leaves out such checks.", "path /var/log/nowhere/*.log"),
];
