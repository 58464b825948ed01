//! A cursor over msgpack: one head at a time, bounds checked, nothing copied.

use super::{Invalid, Known, TimeForm};
use crate::event::EventTime;

/// The start of a value: scalars whole, the others by what follows the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Head {
    /// nil.
    Nil,
    /// true or false.
    Bool(bool),
    /// A signed integer, or an unsigned one that fits.
    Int(i64),
    /// An unsigned integer of 64 bits' width; may fit in `i64` too.
    UInt(u64),
    /// A float of either width.
    Float(f64),
    /// Text of so many bytes.
    Str(usize),
    /// Bin of so many bytes.
    Bin(usize),
    /// An extension: type, and so many bytes.
    Ext(i8, usize),
    /// So many values follow.
    Array(usize),
    /// So many pairs follow.
    Map(usize),
}

/// A cursor over bytes that hold msgpack.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the start of these bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// At byte `at` of these bytes.
    pub fn starting_at(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at: at.min(bytes.len()) }
    }

    /// All the bytes, those before the cursor too.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the cursor is.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next byte, which stays.
    pub fn peek(&self) -> Result<u8, Invalid> {
        self.bytes.get(self.at).copied().ok_or(Invalid::Truncated)
    }

    /// The next `length` bytes.
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Invalid> {
        let end = self.at.checked_add(length).ok_or(Invalid::TooLarge)?;
        let taken = self.bytes.get(self.at..end).ok_or(Invalid::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Invalid> {
        let rest = &self.bytes[self.at..];
        let taken = rest.first_chunk::<N>().ok_or(Invalid::Truncated)?;
        self.at += N;
        Ok(*taken)
    }

    #[inline]
    fn length8(&mut self) -> Result<usize, Invalid> {
        self.fixed::<1>().map(|[n]| n as usize)
    }

    #[inline]
    fn length16(&mut self) -> Result<usize, Invalid> {
        self.fixed().map(|n| u16::from_be_bytes(n) as usize)
    }

    #[inline]
    fn length32(&mut self) -> Result<usize, Invalid> {
        self.fixed().map(|n| u32::from_be_bytes(n) as usize)
    }

    fn ext(&mut self, length: usize) -> Result<Head, Invalid> {
        self.fixed().map(|kind| Head::Ext(i8::from_be_bytes(kind), length))
    }

    /// Reads a head; the cursor stands behind it. Where it fails the cursor's place means nothing.
    #[inline]
    pub fn head(&mut self) -> Result<Head, Invalid> {
        let [marker] = self.fixed()?;
        match marker {
            0x00..=0x7f => Ok(Head::Int(i64::from(marker))),
            0x80..=0x8f => Ok(Head::Map((marker & 0x0f) as usize)),
            0x90..=0x9f => Ok(Head::Array((marker & 0x0f) as usize)),
            0xa0..=0xbf => Ok(Head::Str((marker & 0x1f) as usize)),
            0xd9 => self.length8().map(Head::Str),
            0xe0..=0xff => Ok(Head::Int(i64::from(marker as i8))),
            _ => self.rare_head(marker),
        }
    }

    fn rare_head(&mut self, marker: u8) -> Result<Head, Invalid> {
        Ok(match marker {
            0xc0 => Head::Nil,
            0xc2 => Head::Bool(false),
            0xc3 => Head::Bool(true),
            0xc4 => Head::Bin(self.length8()?),
            0xc5 => Head::Bin(self.length16()?),
            0xc6 => Head::Bin(self.length32()?),
            0xc7 => self.length8().and_then(|length| self.ext(length))?,
            0xc8 => self.length16().and_then(|length| self.ext(length))?,
            0xc9 => self.length32().and_then(|length| self.ext(length))?,
            0xca => Head::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Head::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Head::Int(self.length8()? as i64),
            0xcd => Head::Int(self.length16()? as i64),
            0xce => Head::Int(i64::from(u32::from_be_bytes(self.fixed()?))),
            0xcf => Head::UInt(u64::from_be_bytes(self.fixed()?)),
            0xd0 => Head::Int(i64::from(i8::from_be_bytes(self.fixed()?))),
            0xd1 => Head::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Head::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Head::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4..=0xd8 => self.ext(1 << (marker - 0xd4))?,
            0xda => Head::Str(self.length16()?),
            0xdb => Head::Str(self.length32()?),
            0xdc => Head::Array(self.length16()?),
            0xdd => Head::Array(self.length32()?),
            0xde => Head::Map(self.length16()?),
            0xdf => Head::Map(self.length32()?),
            _ => return Err(Invalid::Marker),
        })
    }

    /// The text that comes next; another type is an error.
    pub fn str(&mut self) -> Result<&'a [u8], Invalid> {
        match self.head()? {
            Head::Str(length) => self.take(length),
            _ => Err(Invalid::Type),
        }
    }

    /// The number of values of the array that comes next; another type is an error.
    pub fn array(&mut self) -> Result<usize, Invalid> {
        match self.head()? {
            Head::Array(count) => Ok(count),
            _ => Err(Invalid::Type),
        }
    }

    /// The number of pairs of the map that comes next; another type is an error.
    pub fn map(&mut self) -> Result<usize, Invalid> {
        match self.head()? {
            Head::Map(count) => Ok(count),
            _ => Err(Invalid::Type),
        }
    }

    /// Reads the head of a canonical entry: that of the array, and the time. The cursor stands before the record.
    #[inline]
    pub fn entry_time(&mut self) -> Result<EventTime, Invalid> {
        if let Some(time) = self.usual_entry_time() {
            return Ok(time);
        }
        match self.head()? {
            Head::Array(2) => TimeForm::read(self)?.exact().ok_or(Invalid::Type),
            _ => Err(Invalid::Type),
        }
    }

    /// As [`Reader::entry_time`], of an entry as nearly all are; for all else `None`, and the cursor stays.
    #[inline]
    pub fn usual_entry_time(&mut self) -> Option<EventTime> {
        let [0x92, 0xd7, 0x00, a, b, c, d, e, f, g, h] = *self.bytes.get(self.at..)?.first_chunk::<11>()? else { return None };
        self.at += 11;
        Some(EventTime { sec: i64::from(u32::from_be_bytes([a, b, c, d])), nsec: u32::from_be_bytes([e, f, g, h]) })
    }

    /// The text that comes next where it is of the usual length (up to 64 KiB); for all else `None`, and the cursor stays.
    /// This is what nearly all keys and values are, and so worth a way of its own.
    #[inline(always)]
    pub fn usual_text(&mut self) -> Option<&'a [u8]> {
        self.usual_text_with_more().map(|(bytes, length)| &bytes[..length])
    }

    /// The same as the bytes from its start on, whatever is behind it, and its length.
    #[inline(always)]
    pub fn usual_text_with_more(&mut self) -> Option<(&'a [u8], usize)> {
        let rest = self.bytes.get(self.at..)?;
        let (head, length) = match *rest.first()? {
            marker @ 0xa0..=0xbf => (1, (marker & 0x1f) as usize),
            0xd9 => (2, *rest.get(1)? as usize),
            0xda => (3, u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?]) as usize),
            _ => return None,
        };
        let bytes = rest.get(head..).filter(|bytes| length <= bytes.len())?;
        self.at += head + length;
        Some((bytes, length))
    }

    /// The whole number that comes next where it is none below zero and of up to 32 bits, as nearly all are; for all else `None`, and the
    /// cursor stays.
    #[inline(always)]
    pub fn small_number(&mut self) -> Option<u32> {
        let rest = self.bytes.get(self.at..)?;
        let (length, number) = match *rest.first()? {
            marker @ 0x00..=0x7f => (1, u32::from(marker)),
            0xcc => (2, u32::from(*rest.get(1)?)),
            0xcd => (3, u32::from(u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?]))),
            0xce => (5, u32::from_be_bytes(*rest.get(1..)?.first_chunk()?)),
            _ => return None,
        };
        self.at += length;
        Some(number)
    }

    /// Passes over a key, where it is this one, and gives it.
    #[inline(always)]
    pub fn known_key(&mut self, key: &Known) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        if !key.begins(rest) {
            return None;
        }
        self.at += key.length();
        rest.get(1..key.length())
    }

    /// Passes over one value of any type.
    pub fn skip(&mut self) -> Result<(), Invalid> {
        self.at = super::skip(self.bytes, self.at)?;
        Ok(())
    }
}
