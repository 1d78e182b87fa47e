//! Frames that break the rules of WebSockets themselves.

use causerie::admission::Limits;
use tokio::io::AsyncWriteExt;

use super::limited;
use super::wire::{answer, connect, read_to_end};
use crate::support::TestDatabase;

const HANDSHAKE: &[u8] = b"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";

/// A frame with the mask 0: its first byte, and its payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(payload.len()) {
        Ok(length @ ..126) => vec![0x80 | length],
        _ => [&[0x80 | 0x7e][..], &u16::try_from(payload.len()).unwrap().to_be_bytes()].concat(),
    };
    [&[first], length.as_slice(), &[0; 4], payload].concat()
}

#[tokio::test]
async fn the_client_is_told_which_rule_it_broke() {
    let server = limited(&TestDatabase::sqlite(), Limits::default()).await;
    for (what, bytes, code) in [
        ("text that is not UTF-8", frame(0x81, b"\xff\xfe"), 1007_u16),
        ("text that ends within a character", frame(0x81, b"\xc3"), 1007),
        ("a reason that is not UTF-8", frame(0x88, b"\x03\xe8\xff"), 1007),
        ("a reserved bit", frame(0xc1, b"{}"), 1002),
        ("a reserved kind of data", frame(0x83, b"{}"), 1002),
        ("a reserved kind of control", frame(0x8b, b""), 1002),
        ("no mask", b"\x81\x02{}".to_vec(), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("a ping in pieces", frame(0x09, b""), 1002),
        ("a piece of nothing", frame(0x80, b"{}"), 1002),
        ("half a close code", frame(0x88, b"\x03"), 1002),
    ] {
        let mut connection = connect(server.url()).await;
        connection.write_all(HANDSHAKE).await.unwrap();
        assert_eq!(answer(&mut connection).await.status, 101);
        connection.write_all(&bytes).await.unwrap();
        let rest = read_to_end(&mut connection).await;
        assert_eq!(rest.first(), Some(&0x88), "{what}: a close frame comes, not {rest:?}");
        assert_eq!(rest[2..4], code.to_be_bytes(), "{what}: {rest:?}");
    }
}
