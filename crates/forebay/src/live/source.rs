//! Where the configuration comes from.

use plan::{Heritage, Plan};

use crate::{Kept, Read};

type ReadAnew = dyn Fn(&Heritage) -> Result<Read, String> + Send + Sync;

/// Where the configuration comes from.
pub struct Source {
    /// Reads it anew, from wherever it is; or says why that cannot be.
    pub read: Box<ReadAnew>,
    /// What has the last word over it, such as a command line.
    pub adjust: Box<dyn Fn(&mut Plan) + Send + Sync>,
}

impl Source {
    /// Reads it from its beginning.
    ///
    /// # Errors
    ///
    /// When there is nothing to read.
    pub fn read(&self, heritage: &Heritage) -> Result<Read, String> {
        (self.read)(heritage).map(|read| self.adjusted(read))
    }

    pub(super) fn again(&self, kept: &Kept, heritage: &Heritage) -> Read {
        self.adjusted(kept.again(heritage))
    }

    fn adjusted(&self, mut read: Read) -> Read {
        if let Some(plan) = &mut read.plan {
            (self.adjust)(plan);
        }
        read
    }
}
