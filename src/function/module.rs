//! The boilerplate of a typed module, reduced to its fields.

/// Declares a `dfdx` module over a number type `E` and a device `D`: the struct and its
/// `TensorCollection`, hence building, counting, saving, averaging and converting it.
///
/// Const parameters come first, then, after a semicolon, an activation with its default. A field is a
/// `tensor` with the function that initialises it, a `module`, or a `scalar` with its default. At most
/// six fields, the limit of `dfdx`.
macro_rules! module {
    ($(#[$meta:meta])* pub struct $name:ident<$(const $c:ident),* $(; $a:ident = $default:ty)?> {
        $($(#[$doc:meta])* $kind:ident $f:ident: $ty:ty $(= $init:expr)?),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name<
            $(const $c: usize,)* $($a = $default,)?
            E: dfdx::shapes::Dtype = f32, D: dfdx::tensor::Storage<E> = dfdx::tensor::Cpu,
        > {
            $($(#[$doc])* pub $f: $ty,)*
            marker: std::marker::PhantomData<(E, D, $($a)?)>,
        }

        impl<$(const $c: usize,)* $($a: $crate::ops::Activation,)?
            E: dfdx::shapes::Dtype, D: dfdx::tensor::Storage<E>>
            dfdx::nn::NonMutableModule for $name<$($c,)* $($a,)? E, D> {}

        impl<$(const $c: usize,)* $($a: $crate::ops::Activation,)?
            E: $crate::ops::Real, D: dfdx::tensor_ops::Device<E>>
            dfdx::nn::TensorCollection<E, D> for $name<$($c,)* $($a,)? E, D>
        {
            type To<E2: dfdx::shapes::Dtype, D2: dfdx::tensor_ops::Device<E2>> =
                $name<$($c,)* $($a,)? E2, D2>;

            fn iter_tensors<V: dfdx::nn::ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields(
                    ($($crate::function::module::module!(@field $kind $f $($init)?),)*),
                    |($($f,)*)| $name { $($f,)* marker: std::marker::PhantomData },
                )
            }
        }
    };
    (@field tensor $f:ident $init:expr) => {
        Self::tensor(
            stringify!($f), |s| &s.$f, |s| &mut s.$f,
            dfdx::nn::TensorOptions::reset_with($init),
        )
    };
    (@field module $f:ident) => {
        Self::module(stringify!($f), |s| &s.$f, |s| &mut s.$f)
    };
    (@field scalar $f:ident $default:expr) => {
        Self::scalar(
            stringify!($f), |s| &s.$f, |s| &mut s.$f,
            dfdx::nn::ScalarOptions::from_default($default),
        )
    };
}
pub(crate) use module;
