//! Costs without parameters are written as their names, which every format can hold.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cosine, Euclidean, HalfSqEuclidean, NegDot, SqEuclidean, WeakQuadratic};

macro_rules! by_name {
    ($($cost:ident),+) => {$(
        const _: () = {
            #[derive(Serialize, Deserialize)]
            enum Name {
                $cost,
            }
            impl Serialize for $cost {
                fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    Name::$cost.serialize(to)
                }
            }
            impl<'de> Deserialize<'de> for $cost {
                fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    Name::deserialize(from).map(|Name::$cost| $cost)
                }
            }
        };
    )+};
}

by_name!(SqEuclidean, HalfSqEuclidean, Euclidean, Cosine, NegDot, WeakQuadratic);
