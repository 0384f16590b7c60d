//! What is sent, and compared with what is read.

use std::fmt;

/// One record, in whatever shape a client has it.
#[derive(Clone, Default, PartialEq)]
pub struct Record {
    /// None: the client chooses.
    pub partition: Option<i32>,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// A record that is only a value.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// The same, for one partition.
    pub fn at(partition: i32, value: impl Into<Vec<u8>>) -> Self {
        Self {
            partition: Some(partition),
            ..Self::new(value)
        }
    }

    /// The same, with a key.
    pub fn keyed(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::new(value)
        }
    }

    /// The value as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

// Values may be large and are mostly text.
impl fmt::Debug for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:?}@{} {:?}",
            self.partition,
            self.offset,
            self.text()
        )
    }
}

/// The records of one partition.
pub fn in_partition(records: &[Record], partition: i32) -> Vec<Record> {
    records
        .iter()
        .filter(|record| record.partition == Some(partition))
        .cloned()
        .collect()
}

/// The values alone.
pub fn values(records: &[Record]) -> Vec<Option<Vec<u8>>> {
    records.iter().map(|record| record.value.clone()).collect()
}

/// Values that compress and values that do not, small and large.
pub fn mixed(count: usize, partitions: i32) -> Vec<Record> {
    let text = b"the quick brown fox jumps over the lazy dog ".repeat(120);
    let mut state = 7u64;
    let mut noise = |size: usize| -> Vec<u8> { (0..size).map(|_| random(&mut state)).collect() };
    let sizes = [0, 1, 10, 100, 1000, 5000].into_iter().cycle();
    (0..count)
        .zip(sizes)
        .zip((0..partitions).cycle())
        .map(|((number, size), partition)| {
            let value = if number % 4 < 2 {
                noise(size)
            } else {
                text[..size].to_vec()
            };
            Record {
                partition: Some(partition),
                ..Record::keyed(number.to_string(), value)
            }
        })
        .collect()
}

/// One step of xorshift64*.
fn random(state: &mut u64) -> u8 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()[7]
}
