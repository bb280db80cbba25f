//! The boilerplate of a network, reduced to its fields and their names in PyTorch.

/// Declares a module over a number type `E` and a device `D`: the struct and its `TensorCollection`,
/// hence building, counting, saving, averaging and loading by name.
///
/// A field is `field "name": kind Type`, of the kinds
/// - `module`;
/// - `optional if condition => Vec<Type>`: one module or none;
/// - `repeated Vec<Type> = count`: so many modules (at most 16), named `name.0`, `name.1`, …;
/// - `tensor = init`: trained, `init` fills it;
/// - `running = init`: not trained, moved by the learner (batch statistics).
macro_rules! network {
    ($(#[$meta:meta])* pub struct $name:ident<$(const $c:ident $(= $default:literal)?),*> {
        $($(#[$doc:meta])* $f:ident $path:literal: $kind:ident $(if $when:expr =>)? $ty:ty $(= $init:expr)?),*
        $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name<
            $(const $c: usize $(= $default)?,)* E: dfdx::shapes::Dtype = f32,
            D: dfdx::tensor::Storage<E> = dfdx::tensor::Cpu,
        > {
            $($(#[$doc])* pub $f: $ty,)*
            marker: std::marker::PhantomData<(E, D)>,
        }

        impl<$(const $c: usize,)* E: $crate::ops::Real, D: dfdx::tensor_ops::Device<E>>
            dfdx::nn::TensorCollection<E, D> for $name<$($c,)* E, D>
        {
            type To<E2: dfdx::shapes::Dtype, D2: dfdx::tensor_ops::Device<E2>> = $name<$($c,)* E2, D2>;

            fn iter_tensors<V: dfdx::nn::ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields(
                    $crate::function::image::network::network!(@fields
                        $([$f $path $kind ($($when)?) ($($init)?)])*),
                    |$crate::function::image::network::network!(@pattern $($f)*)| $name {
                        $($f,)* marker: std::marker::PhantomData,
                    },
                )
            }
        }
    };
    // Pairs of pairs: `dfdx` has tuples of six at most.
    (@fields) => { () };
    (@fields [$f:ident $path:literal $kind:ident $when:tt $init:tt] $($rest:tt)*) => {
        (
            $crate::function::image::network::network!(@field $f $path $kind $when $init),
            $crate::function::image::network::network!(@fields $($rest)*),
        )
    };
    (@pattern) => { () };
    (@pattern $f:ident $($rest:ident)*) => {
        ($f, $crate::function::image::network::network!(@pattern $($rest)*))
    };
    (@field $f:ident $path:literal module () ()) => {
        Self::module($path, |s| &s.$f, |s| &mut s.$f)
    };
    (@field $f:ident $path:literal optional ($when:expr) ()) => {
        (0..usize::from($when))
            .map(|i| Self::module($path, move |s: &Self| &s.$f[i], move |s: &mut Self| &mut s.$f[i]))
            .collect::<Vec<_>>()
    };
    (@field $f:ident $path:literal repeated () ($count:expr)) => {
        $crate::function::image::network::numbered!($path)[..$count]
            .iter()
            .enumerate()
            .map(|(i, name)| {
                Self::module(name, move |s: &Self| &s.$f[i], move |s: &mut Self| &mut s.$f[i])
            })
            .collect::<Vec<_>>()
    };
    (@field $f:ident $path:literal tensor () ($init:expr)) => {
        Self::tensor($path, |s| &s.$f, |s| &mut s.$f, dfdx::nn::TensorOptions::reset_with($init))
    };
    (@field $f:ident $path:literal running () ($init:expr)) => {
        Self::tensor($path, |s| &s.$f, |s| &mut s.$f, dfdx::nn::TensorOptions::detached($init))
    };
}
pub(super) use network;

/// `path.0`, `path.1`, …, for modules that are repeated.
macro_rules! numbered {
    ($path:literal) => {
        $crate::function::image::network::numbered!($path 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($path:literal $($n:literal)*) => {
        [$(concat!($path, ".", $n)),*]
    };
}
pub(super) use numbered;
