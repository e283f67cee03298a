"""The Merkle tree has the roots and proofs of RFC 6962."""

import pytest

from django_customer_history.feed.seals.merkle import (
    GrownTree,
    RightEdge,
    consistency_proof,
    is_consistent,
    root_of,
)
from django_customer_history.verify import leaf_hash, root_by_inclusion

# The leaves and roots that implementations of Certificate Transparency test with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
MANY = [leaf_hash(str(number).encode()) for number in range(70)]


class TestRoots:
    @pytest.mark.parametrize("size", range(len(ROOTS)))
    def test_known_roots(self, size):
        assert root_of(HASHES[:size]).hex() == ROOTS[size]

    def test_edge_goes_on_from_its_bytes(self):
        edge = RightEdge()
        for size, hashed in enumerate(MANY, start=1):
            edge = RightEdge.read(edge.content(), size=edge.size)
            edge.append(hashed)
            assert edge.root() == root_of(MANY[:size])
        assert len(edge.hashes) == 3  # 70 = 64 + 4 + 2

    def test_edge_of_another_size(self):
        with pytest.raises(ValueError, match="A tree of 4 leaves has 1 hashes"):
            RightEdge.read(b"\x00" * 64, size=4)


class TestInclusion:
    def test_known_proof(self):
        proof = GrownTree.of(RightEdge(), HASHES).inclusion_proof(5)
        assert [one.hex() for one in proof] == [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]

    @pytest.mark.parametrize("old_size", [0, 1, 6, 31, 32, 33, 69])
    def test_leaves_since_an_edge(self, old_size):
        before = RightEdge()
        for hashed in MANY[:old_size]:
            before.append(hashed)
        tree = GrownTree.of(before, MANY[old_size:])
        assert tree.root() == root_of(MANY)
        for index in range(old_size, len(MANY)):
            proof = tree.inclusion_proof(index)
            place = {"index": index, "size": len(MANY), "proof": proof}
            assert root_by_inclusion(MANY[index], **place) == root_of(MANY)
            assert root_by_inclusion(MANY[index - 1], **place) != root_of(MANY)

    def test_leaf_before_the_edge(self):
        before = RightEdge()
        before.append(MANY[0])
        with pytest.raises(ValueError, match="Leaf 0 is not among the leaves 1 to 2"):
            GrownTree.of(before, MANY[1:3]).inclusion_proof(0)

    def test_unknown_subtree(self):
        before = RightEdge()
        for hashed in MANY[:4]:
            before.append(hashed)
        tree = GrownTree.of(before, MANY[4:9])
        assert tree.root(4, 8) == root_of(MANY[4:8])
        for start, end in ((0, 2), (5, 7), (8, 10), (0, 16)):
            with pytest.raises(ValueError, match=f"The leaves {start} to {end - 1} are not"):
                tree.root(start, end)

    @pytest.mark.parametrize(
        ("index", "size", "length", "problem"),
        [(8, 8, 3, "not in"), (0, 8, 2, "short"), (0, 8, 4, "long"), (-1, 8, 3, "not in")],
    )
    def test_proof_of_another_shape(self, index, size, length, problem):
        with pytest.raises(ValueError, match=problem):
            root_by_inclusion(HASHES[0], index=index, size=size, proof=MANY[:length])


def growth(old_size, leaves):
    subtrees = GrownTree.of(RightEdge(), leaves).root
    return consistency_proof(old_size, len(leaves), subtrees=subtrees)


class TestConsistency:
    def test_known_proof(self):
        assert [one.hex() for one in growth(6, HASHES)] == [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]

    def test_all_pairs_of_sizes(self):
        for new_size in range(1, 40):
            for old_size in range(1, new_size + 1):
                proof = growth(old_size, MANY[:new_size])
                sizes = {"old_size": old_size, "new_size": new_size}
                old, new = root_of(MANY[:old_size]), root_of(MANY[:new_size])
                assert is_consistent(old, new, **sizes, proof=proof)
                assert not is_consistent(old, MANY[69], **sizes, proof=proof)
                assert not is_consistent(old, new, **sizes, proof=[*proof, MANY[0]])
                assert not (proof and is_consistent(old, new, **sizes, proof=proof[:-1]))

    @pytest.mark.parametrize("old_size", [0, 9])
    def test_impossible_sizes(self, old_size):
        with pytest.raises(ValueError, match="Give 1 to 8"):
            growth(old_size, HASHES)
        sizes = {"old_size": old_size, "new_size": 8}
        assert not is_consistent(MANY[0], MANY[1], **sizes, proof=[])
