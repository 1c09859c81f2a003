"""The demo's haystack: an ordinary folder of pictures and texts, part of it spoiled as real haystacks are."""
