//! A corpus in many languages, and what of it each query finds.

use serde_json::json;

use super::{texts, titled};
use crate::support::{TestServer, on_both_databases};

const CORPUS: &[&str] = &[
    "The recipe for onion soup needs two hours and good stock.",
    "A soup without onions? Try the other recipe.",
    "Crème brûlée: six yolks, sugar, and a torch.",
    "Größe und Maß: die Straße ist 12 m breit.",
    "Łódź leży w środkowej Polsce; zażółć gęślą jaźń.",
    "Señor, ¿dónde está la piñata del niño?",
    "Ο Οδυσσέας γύρισε στην Ιθάκη από άλλη οδό.",
    "Съешь ещё этих мягких французских булок.",
    "שָׁלוֹם לכולם, מה שלומך היום?",
    "مُحَمَّد يكتب رسالة طويلة.",
    "नमस्ते दुनिया, आज मौसम अच्छा है।",
    "我想学做北京烤鸭,請告訴我食譜。",
    "東京都の天気は晴れ、ラーメンが食べたい。",
    "ﾗｰﾒﾝとガギグゲゴ",
    "서울에서 비빔밥을 먹었다. 참 맛있었다!",
    "วันนี้อากาศดีมาก อยากกินต้มยำกุ้ง",
    "ສະບາຍດີ ຂ້ອຍມັກເຂົ້າໜຽວ",
    "ថ្ងៃនេះខ្ញុំញ៉ាំបាយ",
    "မြန်မာစာ ဖတ်တတ်သည်",
    "Use `snake_case` in user@example.org, not camelCase: v2.0.1 isn't C++.",
    "Party time 🎉🎂 for the whole team 👩🏽‍💻",
    "İstanbul'da ığdır çayı içtik.",
    "ﬁnally ｆｕｌｌ ｗｉｄｔｈ ① x²",
];

/// A query, and the messages that it finds, by a word of each that no other message has.
const EXPECTED: &[(&str, &[&str])] = &[
    ("soup", &["hours", "without"]),
    ("SOUP recipe", &["hours", "without"]),
    ("onion", &["hours"]),
    ("onion*", &["hours", "without"]),
    ("soup -onions", &["hours"]),
    ("\"onion soup\"", &["hours"]),
    ("\"soup onion\"", &[]),
    ("\"the other rec\"*", &["without"]),
    ("recipe -\"other recipe\"", &["hours"]),
    ("oup", &[]),
    ("creme BRULEE", &["yolks"]),
    ("Crème", &["yolks"]),
    ("cre\u{300}me", &["yolks"]),
    ("grosse mass strasse", &["breit"]),
    ("STRASSE", &["breit"]),
    ("lodz gesla", &["Polsce"]),
    ("senor pinata nino", &["dónde"]),
    ("ΟΔΥΣΣΕΑΣ οδο", &["Ιθάκη"]),
    ("еще булок", &["Съешь"]),
    ("שלום", &["לכולם"]),
    ("محمد", &["رسالة"]),
    ("दुनिया मौसम", &["नमस्ते"]),
    ("दुन", &[]),
    ("दुन*", &["नमस्ते"]),
    ("烤鸭", &["北京"]),
    ("鸭", &["北京"]),
    ("北京烤鸭請告", &[]),
    ("\"烤鸭 請告訴\"", &["北京"]),
    ("京烤", &["北京"]),
    ("京", &["北京", "東京"]),
    ("食", &["北京", "東京"]),
    ("食譜", &["北京"]),
    ("ラーメン", &["東京", "ガギ"]),
    ("ﾗｰﾒﾝ -東京", &["ガギ"]),
    ("かぎ", &[]),
    ("カキ", &[]),
    ("ガギ", &["ガギ"]),
    ("비빔밥", &["서울"]),
    ("빔밥", &["서울"]),
    ("\"비빔밥을 먹었\"", &["서울"]),
    ("맛있", &["서울"]),
    ("ต้มยำ", &["กุ้ง"]),
    ("อากาศ", &["กุ้ง"]),
    ("ตมยำ", &[]),
    ("ເຂົ້າ", &["ສະບາຍ"]),
    ("បាយ", &["ថ្ងៃ"]),
    ("ဖတ်", &["မြန်မာ"]),
    ("snake_case", &["camelCase"]),
    ("snake", &["camelCase"]),
    ("user@example.org", &["camelCase"]),
    ("example", &["camelCase"]),
    ("v2.0.1 C++ isn't", &["camelCase"]),
    ("\"v2 0\"", &["camelCase"]),
    ("🎂", &["Party"]),
    ("👩‍💻", &[]),
    ("👩🏽‍💻 party", &["Party"]),
    ("istanbul IGDIR caYI", &["içtik"]),
    ("finally \"full width\" 1 x2", &["ｗｉｄｔｈ"]),
    ("zzz", &[]),
];

on_both_databases! {
    async fn every_language_is_found(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let conversation = titled(&ann, "Corpus").await;
        for text in CORPUS {
            ann.send(text, json!({ "conversationId": conversation })).await;
        }
        for (query, marks) in EXPECTED {
            let mut expected: Vec<&str> = marks.iter().map(|mark| the_only_with(mark)).collect();
            expected.sort_unstable();
            assert_eq!(texts(&ann, query).await, expected, "{query:?}");
        }
    }
}

fn the_only_with(mark: &str) -> &'static str {
    let with: Vec<_> = CORPUS.iter().filter(|text| text.contains(mark)).collect();
    assert_eq!(with.len(), 1, "{mark:?} marks one text");
    with[0]
}
