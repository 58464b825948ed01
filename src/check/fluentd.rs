//! What Fluentd 1.x would say where Flumen says something else: faults that are only ours, plugins that only one of the two has.

use super::known;
use super::subject::{Raw, Subject};
use super::suggest::{closest, named_plugin};
use crate::config::{Element, Severity};

/// The encodings that Ruby 3.1 has, beside those that are read here.
const ENCODINGS: &str = "646 ANSI_X3.4-1968 Big5 Big5-HKSCS Big5-HKSCS:2008 Big5-UAO CESU-8 CP1250 CP1251 CP1252 CP1253 CP1254 CP1255 CP1256 \
    CP1257 CP1258 CP437 CP50220 CP50221 CP51932 CP65000 CP65001 CP720 CP737 CP775 CP850 CP852 CP855 CP857 CP860 CP861 CP862 CP863 CP864 \
    CP865 CP866 CP869 CP874 CP878 CP932 CP936 CP949 CP950 CP951 EUC-CN EUC-JIS-2004 EUC-JISX0213 EUC-JP EUC-KR EUC-TW Emacs-Mule GB12345 \
    GB18030 GB1988 GB2312 GBK IBM037 IBM437 IBM720 IBM737 IBM775 IBM850 IBM852 IBM855 IBM857 IBM860 IBM861 IBM862 IBM863 IBM864 IBM865 \
    IBM866 IBM869 ISO-2022-JP ISO-2022-JP-2 ISO-2022-JP-KDDI ISO-8859-10 ISO-8859-11 ISO-8859-13 ISO-8859-14 ISO-8859-15 ISO-8859-16 \
    ISO-8859-2 ISO-8859-3 ISO-8859-4 ISO-8859-5 ISO-8859-6 ISO-8859-7 ISO-8859-8 ISO-8859-9 ISO2022-JP ISO2022-JP2 ISO8859-10 ISO8859-11 \
    ISO8859-13 ISO8859-14 ISO8859-15 ISO8859-16 ISO8859-2 ISO8859-3 ISO8859-4 ISO8859-5 ISO8859-6 ISO8859-7 ISO8859-8 ISO8859-9 KOI8-R \
    KOI8-U MacJapan MacJapanese PCK SJIS SJIS-DoCoMo SJIS-KDDI SJIS-SoftBank Shift_JIS TIS-620 UCS-2BE UCS-4BE UCS-4LE UTF-16 UTF-16BE \
    UTF-16LE UTF-32 UTF-32BE UTF-32LE UTF-7 UTF-8-HFS UTF-8-MAC UTF8-DoCoMo UTF8-KDDI UTF8-MAC UTF8-SoftBank Windows-1250 Windows-1251 \
    Windows-1252 Windows-1253 Windows-1254 Windows-1255 Windows-1256 Windows-1257 Windows-1258 Windows-31J Windows-874 csWindows31J \
    ebcdic-cp-us euc-jp-ms eucCN eucJP eucJP-ms eucKR eucTW macCentEuro macCroatian macCyrillic macGreek macIceland macRoman macRomania \
    macThai macTurkish macUkraine stateless-ISO-2022-JP stateless-ISO-2022-JP-KDDI external filesystem internal locale";

/// Turns errors that Fluentd 1.x would not raise into notes.
pub fn judge(raw: &mut Vec<Raw>) {
    // What only this program passes over, or has not.
    raw.retain(|finding| {
        !matches!(finding.code, "FLM0132" | "FLM0133" | "FLM0303" | "FLM0603") && !finding.message.contains("(core) is checked only")
    });
    for finding in raw.iter_mut().filter(|finding| finding.code == "FLM0411") {
        finding.severity = Severity::Note;
        finding.message =
            finding.message.replace(" is checked only: flumen does not run it", " comes from a gem, which has to be installed");
    }
    for finding in raw.iter_mut().filter(|finding| finding.severity == Severity::Error) {
        if is_said_at_start(finding) {
            finding.severity = Severity::Warning;
        } else if let Some((kind, name)) = named_plugin(&finding.message) {
            let (kind, name) = (kind.to_owned(), name.to_owned());
            judge_plugin(finding, &kind, &name);
        } else if finding.message.contains("not supported") || is_encoding_of_ruby(&finding.message) {
            finding.severity = Severity::Note;
            finding.message = format!("Fluentd takes this, flumen does not: {}", finding.message);
        }
    }
}

/// Whether Fluentd finds it out when it starts, or never: a dry run of it accepts the file.
fn is_said_at_start(finding: &Raw) -> bool {
    let is = |part: &str| finding.message.contains(part);
    match finding.code {
        "FLM0202" => is("'@label'"),
        "FLM0204" | "FLM0606" => is("is out of range, expected") || is("is no host name") || is("\":\" is no port"),
        "FLM0653" => is("must set m"),
        "FLM0425" | "FLM0661" | "FLM0672" => true,
        "FLM0691" => is("only Windows"),
        _ => false,
    }
}

/// What only this program has: Fluentd 1.18 refuses it.
pub fn refuse_news(subject: &Subject<'_>) {
    each(subject.built, &mut |element| {
        if element.name != "buffer" {
            return;
        }
        if let Some(param) = element.param("compress").filter(|_| element.text("compress") == Some("zstd")) {
            let message = "compress: valid options are text,gzip but got zstd, which Fluentd has from 1.19 on";
            subject.error("FLM0204", param.value_span, message, "");
        }
        let keys: Vec<&str> = element.arg.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
        if element.plugin_type() == Some("file_single") && (keys.len() > 1 || keys == ["time"]) {
            subject.error("FLM0503", element.span, "chunk keys must be tag or one field: a file_single buffer has no others", "");
        }
    });
}

fn each(element: &Element, visit: &mut dyn FnMut(&Element)) {
    visit(element);
    element.children.iter().for_each(|child| each(child, visit));
}

/// Whether an encoding is refused that Ruby, and so Fluentd, has.
fn is_encoding_of_ruby(message: &str) -> bool {
    let name = message.split("unknown encoding name - ").nth(1).and_then(|rest| rest.split(": expected").next());
    name.is_some_and(|name| ENCODINGS.split_whitespace().any(|known| known.eq_ignore_ascii_case(name)))
}

/// A plugin of a gem that nobody here knows may well be installed; a slip of the pen in the name of a usual one hardly.
fn judge_plugin(finding: &mut Raw, kind: &str, name: &str) {
    let of_fluentd = known::of_fluentd(kind);
    // A plugin is a file of that name.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        return;
    }
    if of_fluentd.contains(&name) {
        finding.severity = Severity::Note;
        finding.message = format!("Fluentd has the {kind} plugin '{name}', flumen does not: its parameters are not checked");
        finding.help.clear();
    } else if kind != "buffer" && closest(name, of_fluentd.iter().copied()).is_none() {
        finding.severity = Severity::Note;
        finding.message = format!("the {kind} plugin '{name}' comes from a gem: nothing in it is checked");
        finding.help.clear();
    }
}
