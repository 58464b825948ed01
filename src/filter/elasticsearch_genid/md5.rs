//! MD5 (RFC 1321), for names of content that were always made by it. It protects nothing: who wants to can make two contents of one name.

/// How far each step turns, by round and step within it.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The digest of some bytes.
pub fn digest(bytes: &[u8]) -> [u8; 16] {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64), 0);
    let end = padded.len() - 8;
    padded[end..].copy_from_slice(&(bytes.len() as u64).wrapping_mul(8).to_le_bytes());
    // The constants are 2^32 times the sines of 1, 2, 3 and so on.
    let constants: [u32; 64] = std::array::from_fn(|step| (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32);
    let mut state = START;
    for block in padded.chunks_exact(64) {
        let words: [u32; 16] = std::array::from_fn(|at| u32::from_le_bytes([0, 1, 2, 3].map(|byte| block[4 * at + byte])));
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mixed, word) = match step / 16 {
                0 => (b & c | !b & d, step),
                1 => (d & b | !d & c, (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), 7 * step % 16),
            };
            let sum = a.wrapping_add(mixed).wrapping_add(constants[step]).wrapping_add(words[word]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(TURNS[step / 16][step % 4])));
        }
        for (whole, part) in state.iter_mut().zip([a, b, c, d]) {
            *whole = whole.wrapping_add(part);
        }
    }
    let mut out = [0; 16];
    out.chunks_exact_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn hex(text: &str) -> String {
        digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
        assert_eq!(hex(&"1234567890".repeat(8)), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn every_length_is_padded() {
        // Of 55, 56, 63, 64 and 65 letters: where the length still fits into the last block, and where it does not.
        let expected = [
            "ef1772b6dff9a122358552954ad0df65",
            "3b0c8ac703f828b04c6c197006d17218",
            "b06521f39153d618550606be297466d5",
            "014842d480b571495a4a0363793f7367",
            "c743a45e0d2e6a95cb859adae0248435",
        ];
        assert_eq!([55, 56, 63, 64, 65].map(|length| hex(&"a".repeat(length))), expected);
    }
}
