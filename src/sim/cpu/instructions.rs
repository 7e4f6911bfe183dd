//! Which vector instructions a kernel is run in; they never change what it computes.

/// Vector instructions of this processor: one that lacks them cannot make the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// What every processor of its kind has.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// F, BW and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// Those that this processor has, the narrowest first.
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wider = [
            is_x86_feature_detected!("avx2").then_some(Set::Avx2),
            (is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl"))
            .then_some(Set::Avx512),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let wider = [None; 0];
        std::iter::once(Set::Baseline).chain(wider.into_iter().flatten()).map(Self)
    }

    /// As benchmarks call them.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
        }
    }

    pub(super) fn set(self) -> Set {
        self.0
    }
}

/// The widest.
impl Default for Instructions {
    fn default() -> Self {
        Self::available().next_back().expect("the baseline is always there")
    }
}
