//! Costs without parameters: their names in text, nothing in binary formats, where their type says all.

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
                    if to.is_human_readable() {
                        Name::$cost.serialize(to)
                    } else {
                        ().serialize(to)
                    }
                }
            }
            impl<'de> Deserialize<'de> for $cost {
                fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    if from.is_human_readable() {
                        Name::deserialize(from).map(|Name::$cost| $cost)
                    } else {
                        <()>::deserialize(from).map(|()| $cost)
                    }
                }
            }
        };
    )+};
}

by_name!(SqEuclidean, HalfSqEuclidean, Euclidean, Cosine, NegDot, WeakQuadratic);
