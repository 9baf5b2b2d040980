//! A minute of a run as bytes: only what is not zero, as pairs of a gap and a count.
//!
//! A usual minute takes about 60 bytes. Places are never reused, and a place that this version does
//! not know is ignored, so later versions can count more.

use std::time::Duration;

use super::varint;
use crate::domain::{MinuteTraffic, Request, ResponseClass};

/// The places of one kind of request. There is room for more classes.
const CLASSES: usize = 16;
/// The first place behind those of all kinds of requests. There is room for more kinds.
const OTHERS: usize = 8 * CLASSES;
const RETRIES: usize = OTHERS;
const DOUBTS_OPENED: usize = OTHERS + 1;
const DOUBTS_ENDED: usize = OTHERS + 2;
const PAUSED_MILLIS: usize = OTHERS + 3;

/// The minute in the form in which a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EncodedMinute {
    pub counts: Vec<u8>,
    pub latencies: Vec<u8>,
}

pub(super) fn encode(traffic: &MinuteTraffic) -> EncodedMinute {
    let of = |request: Request| move |class: ResponseClass| (place(request, class), traffic.responses(request, class));
    let responses = Request::ALL.into_iter().flat_map(|request| ResponseClass::ALL.into_iter().map(of(request)));
    let others = [
        (RETRIES, traffic.retries),
        (DOUBTS_OPENED, traffic.doubts_opened),
        (DOUBTS_ENDED, traffic.doubts_ended),
        (PAUSED_MILLIS, u64::try_from(traffic.paused.as_millis()).unwrap_or(u64::MAX)),
    ];
    EncodedMinute { counts: pairs(responses.chain(others)), latencies: pairs(traffic.latencies.buckets()) }
}

/// Returns `None` if the bytes are no minute.
pub(super) fn decode(minute: i64, encoded: &EncodedMinute) -> Option<MinuteTraffic> {
    let mut traffic = MinuteTraffic::new(minute);
    for (at, count) in places(&encoded.counts)? {
        match at {
            RETRIES => traffic.retries = count,
            DOUBTS_OPENED => traffic.doubts_opened = count,
            DOUBTS_ENDED => traffic.doubts_ended = count,
            PAUSED_MILLIS => traffic.paused = Duration::from_millis(count),
            _ => {
                let request = Request::ALL.into_iter().nth(at / CLASSES);
                let class = ResponseClass::ALL.into_iter().nth(at % CLASSES);
                if let (Some(request), Some(class)) = (request, class) {
                    traffic.add_responses(request, class, count);
                }
            }
        }
    }
    let latencies = places(&encoded.latencies)?;
    latencies.into_iter().for_each(|(bucket, count)| traffic.latencies.add_many(bucket, count));
    Some(traffic)
}

const fn place(request: Request, class: ResponseClass) -> usize {
    request as usize * CLASSES + class as usize
}

/// Writes the counts that are not zero. Their places must ascend.
fn pairs(counts: impl Iterator<Item = (usize, u64)>) -> Vec<u8> {
    let (mut bytes, mut next) = (Vec::new(), 0);
    for (at, count) in counts.filter(|(_, count)| *count > 0) {
        varint::write(&mut bytes, (at - next) as u64);
        varint::write(&mut bytes, count);
        next = at + 1;
    }
    bytes
}

fn places(mut bytes: &[u8]) -> Option<Vec<(usize, u64)>> {
    let (mut found, mut next) = (Vec::new(), 0_usize);
    while !bytes.is_empty() {
        let gap = usize::try_from(varint::read(&mut bytes)?).ok()?;
        let at = next.checked_add(gap)?;
        found.push((at, varint::read(&mut bytes)?));
        next = at.checked_add(1)?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_usual_minute_is_small_and_an_empty_one_takes_nothing() {
        let empty = encode(&MinuteTraffic::new(1));
        assert!(empty.counts.is_empty() && empty.latencies.is_empty());
        let mut usual = MinuteTraffic::new(1);
        usual.add_responses(Request::Create, ResponseClass::Success, 55);
        (180..235).for_each(|millis| usual.latencies.add(Duration::from_millis(millis)));
        let EncodedMinute { counts, latencies } = encode(&usual);
        assert!(counts.len() + latencies.len() < 64, "{} + {}", counts.len(), latencies.len());
    }

    #[test]
    fn a_place_of_a_later_version_is_ignored_and_bytes_that_are_cut_off_are_refused() {
        let of = |counts: &[u8]| EncodedMinute { counts: counts.to_vec(), latencies: Vec::new() };
        // The ninth class of the first kind, and the place 200.
        let later = decode(1, &of(&[8, 7, 191, 1, 7])).unwrap();
        assert!(later.is_empty());
        assert_eq!(decode(1, &of(&[8])), None);
        assert_eq!(decode(1, &of(&[0x80])), None);
    }

    proptest! {
        #[test]
        fn what_was_counted_comes_back(
            responses in prop::collection::vec((0..3_usize, 0..7_usize, 1..u64::from(u32::MAX)), 0..30),
            took in prop::collection::vec(0..100_000_000_u64, 0..100),
            others: [u32; 4],
        ) {
            let mut traffic = MinuteTraffic::new(29_000_000);
            for (request, class, number) in responses {
                traffic.add_responses(Request::ALL[request], ResponseClass::ALL[class], number);
            }
            took.into_iter().for_each(|micros| traffic.latencies.add(Duration::from_micros(micros)));
            let [retries, opened, ended, paused] = others.map(u64::from);
            (traffic.retries, traffic.doubts_opened, traffic.doubts_ended) = (retries, opened, ended);
            traffic.paused = Duration::from_millis(paused);
            prop_assert_eq!(decode(29_000_000, &encode(&traffic)), Some(traffic));
        }

        #[test]
        fn no_bytes_are_a_panic(counts: Vec<u8>, latencies: Vec<u8>) {
            decode(0, &EncodedMinute { counts, latencies });
        }
    }
}
