//! Loops compiled for several instruction sets, the best of which is chosen at run time.

/// Instruction sets that loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best level of this processor; the standard library caches the detection.
#[inline]
pub(crate) fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
        {
            return Level::Avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Level::Avx2;
        }
    }
    Level::Portable
}

/// Defines a function whose body is compiled once for each [`Level`] and dispatched at run time.
/// The body is plain Rust; it gains from the wider registers by autovectorisation. No level contracts
/// a product and a sum, so all give the same bits unless the order of a reduction differs.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident <$($g:ident : $bound:path),*>
     ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? {
                body::<$($g),*>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
            fn avx512<$($g: $bound),*>($($arg: $ty),*) $(-> $ret)? {
                body::<$($g),*>($($arg),*)
            }
            match $crate::ops::simd::level() {
                // SAFETY: `level` has just detected the features of the function that is called.
                #[cfg(target_arch = "x86_64")]
                $crate::ops::simd::Level::Avx512 => unsafe { avx512::<$($g),*>($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::ops::simd::Level::Avx2 => unsafe { avx2::<$($g),*>($($arg),*) },
                $crate::ops::simd::Level::Portable => body::<$($g),*>($($arg),*),
            }
        }
    };
}
pub(crate) use vectorised;
