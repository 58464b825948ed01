//! Names that events get.

use crate::filter::tests::{build, run};

/// The name of the one event, which is in its last field.
fn name(lines: &str, record: &str) -> String {
    let out = run("elasticsearch_genid", lines, &[record]).join("\n");
    out.rsplit('"').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn names_are_made_of_the_content() {
    let entire = "use_record_as_seed true\nuse_entire_record true\n";
    assert_eq!(name(entire, r#"{"b":"x","a":1}"#), "YDVi0OuBvvkZ+nmwF7W5VBTG0SE=", "whatever the order of the fields");
    let sha256 = "bH3dOZakr7W5Xy1OU1+pHWMb6QqmpvjU8phkOcEYr5M=";
    assert_eq!(name(&format!("{entire}hash_type sha256"), r#"{"b":{"c":1.5},"a":[1,null],"n":null}"#), sha256);
    let keys = "use_record_as_seed true\nrecord_keys s,list,map,gone\nseparator -\nhash_type md5\ninclude_tag_in_seed true\ninclude_time_in_seed true";
    assert_eq!(name(keys, r#"{"list":[1,[null,2.5]],"map":{"z":true},"s":"x"}"#), "X6xHR+GPqzyD0HSYmTpEYQ==");
    let one = "use_record_as_seed true\nrecord_keys n\nhash_type sha512\nhash_id_key n";
    assert_eq!(
        run("opensearch_genid", one, &[r#"{"n":5}"#]),
        [r#"100 {"n":"Bt8FNxmBojfQ7RFHL658lMmsDv8dBUE1FnENF7EKT7b0UXvaSmlfAtCnPdTbVDtGU98o9dCdq4b5L/ubhtAeJQ=="}"#]
    );
}

#[test]
fn names_made_by_chance_differ() {
    let [one, two] = [name("", "{}"), name("", "{}")];
    assert_ne!(one, two);
    // 36 characters of a UUID in base64.
    assert_eq!((one.len(), two.len()), (48, 48));
    assert!(run("elasticsearch_genid", "", &[r#"{"a":1}"#])[0].starts_with(r#"100 {"a":1,"_hash":""#));
}

#[test]
fn a_seed_of_nothing_is_refused() {
    let refused = build("elasticsearch_genid", "use_record_as_seed true").err().unwrap_or_default();
    assert!(refused.contains("When using record as hash seed, users must specify `record_keys`."));
}
