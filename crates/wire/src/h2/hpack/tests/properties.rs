use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const OFTEN: [&[u8]; 5] = [
    b"Accept-Encoding",
    b"cookie",
    b"CONTENT-TYPE",
    b"X-Custom",
    b"age",
];

fn field() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let name = prop_oneof![
        select(&OFTEN[..]).prop_map(<[u8]>::to_vec),
        vec(any::<u8>(), 0..300)
    ];
    let value = prop_oneof![
        Just(b"gzip, deflate".to_vec()),
        vec(any::<u8>(), 0..40),
        vec(any::<u8>(), 100..20_000)
    ];
    (name, value)
}

#[derive(Debug, Clone)]
enum Op {
    Indexed(Index),
    Literal {
        form: u8,
        name: Result<Index, Vec<u8>>,
        value: Vec<u8>,
        is_coded: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let text = || vec(any::<u8>(), 0..60);
    let name = prop_oneof![any::<Index>().prop_map(Ok), text().prop_map(Err)];
    let form = select(
        &[
            WITH_INDEXING,
            WITH_INDEXING,
            NEVER_INDEXED,
            WITHOUT_INDEXING,
        ][..],
    );
    let literal = (form, name, text(), any::<bool>());
    prop_oneof![
        any::<Index>().prop_map(Op::Indexed),
        literal.prop_map(|(form, name, value, is_coded)| Op::Literal {
            form,
            name,
            value,
            is_coded
        })
    ]
}

/// The table as the standard tells of it, in the simplest way.
#[derive(Default)]
struct Model {
    kept: Lines,
    limit: usize,
}

impl Model {
    fn size(&self) -> usize {
        self.kept.iter().map(|(n, v)| n.len() + v.len() + 32).sum()
    }

    fn trim(&mut self) {
        while self.size() > self.limit {
            self.kept.pop();
        }
    }

    /// One of all lines that there are, mostly one that was kept.
    fn pick(&self, index: Index) -> (usize, (Vec<u8>, Vec<u8>)) {
        let all = LINES.iter().map(|(n, v)| line(n, v));
        let all: Lines = all.chain(self.kept.iter().cloned()).collect();
        let at = all.len() - 1 - index.index(self.kept.len() * 2 + 1).min(all.len() - 1);
        (at + 1, all[at].clone())
    }

    /// Appends what is to be done to a block, and gives the line that it means.
    fn write(&mut self, op: Op, block: &mut Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let (form, name, value, is_coded) = match op {
            Op::Indexed(index) => {
                let (at, line) = self.pick(index);
                write_integer(block, INDEXED, 0x7f, at);
                return line;
            }
            Op::Literal {
                form,
                name,
                value,
                is_coded,
            } => (form, name, value, is_coded),
        };
        let string = |block: &mut Vec<u8>, text: &[u8]| {
            if is_coded {
                return push_huffman(block, text);
            }
            write_integer(block, 0, 0x7f, text.len());
            block.extend_from_slice(text);
        };
        let mask = if form == WITH_INDEXING { 0x3f } else { 0x0f };
        let name = match name {
            Ok(index) => {
                let (at, (name, _)) = self.pick(index);
                write_integer(block, form, mask, at);
                name
            }
            Err(name) => {
                block.push(form);
                string(block, &name);
                name
            }
        };
        string(block, &value);
        if form == WITH_INDEXING {
            self.kept.insert(0, (name.clone(), value.clone()));
            self.trim();
        }
        (name, value)
    }
}

/// The size is what it is counted as, and within what was said; so is the memory.
fn assert_bounded(decoder: &Decoder, most: usize) {
    let (size, counted) = decoder.table.sizes();
    assert_eq!(size, counted);
    assert!(size <= most);
    let scratch = decoder.name.capacity() + decoder.value.capacity();
    // The list of lines has room for four from the beginning.
    assert!(decoder.table.memory() <= 5 * most.max(128));
    assert!(scratch <= 2 * SCRATCH);
    assert!(size > 0 || memory(decoder) == 0);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(fields in vec(field(), 0..20), status in 100u16..1000, path in vec(any::<u8>(), 0..200)) {
        let mut block = Vec::new();
        write_status(&mut block, status);
        write_pseudo(&mut block, Pseudo::Path, &path);
        let mut wanted = vec![line(":status", &status.to_string()), (b":path".to_vec(), path)];
        for (name, value) in fields {
            write_field(&mut block, Known::of(&name), &name, &value);
            wanted.push((name.to_ascii_lowercase(), value));
        }
        let mut decoder = Decoder::new(4096);
        prop_assert_eq!(decode(&mut decoder, &block), Ok(wanted));
        prop_assert_eq!(memory(&decoder), 0);
    }

    #[test]
    fn blocks_mean_what_a_simple_table_says(
        most in 0usize..600,
        blocks in vec((vec(any::<Index>(), 0..3), vec(op(), 0..20)), 1..10),
    ) {
        let mut decoder = Decoder::new(most);
        let mut model = Model { limit: most, ..Model::default() };
        for (at, (sizes, ops)) in blocks.into_iter().enumerate() {
            let mut block = Vec::new();
            // Otherwise most tables would be small.
            for size in sizes.into_iter().filter(|_| at % 3 == 1) {
                model.limit = size.index(most + 1);
                model.trim();
                write_integer(&mut block, SIZE_UPDATE, 0x1f, model.limit);
            }
            let wanted: Lines = ops.into_iter().map(|op| model.write(op, &mut block)).collect();
            prop_assert_eq!(decode(&mut decoder, &block), Ok(wanted));
            prop_assert_eq!(decoder.table.sizes().0, model.size());
            assert_bounded(&decoder, most);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(
        most in 0usize..5000,
        blocks in vec(vec(prop_oneof![any::<u8>(), 0u8..4, Just(0x40), Just(0xbe)], 0..200), 1..8),
    ) {
        let mut decoder = Decoder::new(most);
        for block in blocks {
            let _ = decode(&mut decoder, &block);
            assert_bounded(&decoder, most);
        }
    }
}
