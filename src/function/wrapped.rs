//! The boilerplate of modules around a module.

/// Implements `TensorCollection` for a struct around a module: `wrapped!(Negated)` for a tuple struct,
/// `wrapped!(Joined<Z, M>)` for one with sizes, `wrapped!(OnSphere { inner, radius: 1.0 })` for a module
/// `inner` and a number with its default, which is saved and not learned.
macro_rules! wrapped {
    ($name:ident $(<$($size:ident),*>)?) => {
        $crate::function::wrapped::wrapped!(
            @of $name [$($($size),*)?]
            (Self::module("0", |s| &s.0, |s| &mut s.0),), |(inner,)| $name(inner)
        );
    };
    ($name:ident { $inner:ident, $number:ident: $default:expr }) => {
        $crate::function::wrapped::wrapped!(
            @of $name []
            (
                Self::module(stringify!($inner), |s| &s.$inner, |s| &mut s.$inner),
                Self::scalar(
                    stringify!($number),
                    |s| &s.$number,
                    |s| &mut s.$number,
                    dfdx::nn::ScalarOptions::from_default($default),
                ),
            ),
            |($inner, $number)| $name { $inner, $number }
        );
    };
    (@of $name:ident [$($size:ident),*] $($fields:tt)*) => {
        impl<$(const $size: usize,)* F> dfdx::nn::NonMutableModule for $name<$($size,)* F> {}

        impl<$(const $size: usize,)* E, D, F> dfdx::nn::TensorCollection<E, D>
            for $name<$($size,)* F>
        where
            E: dfdx::shapes::Dtype,
            D: dfdx::tensor_ops::Device<E>,
            F: dfdx::nn::TensorCollection<E, D>,
        {
            type To<E2: dfdx::shapes::Dtype, D2: dfdx::tensor_ops::Device<E2>> =
                $name<$($size,)* F::To<E2, D2>>;
            fn iter_tensors<V: dfdx::nn::ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> std::result::Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields($($fields)*)
            }
        }
    };
}
pub(crate) use wrapped;
