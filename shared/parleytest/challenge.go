package parleytest

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"testing"

	"parley/shared/parley"
)

// Solve finds the number of a challenge as a page does.
func Solve(t testing.TB, c parley.Challenge) parley.Solution {
	t.Helper()
	for n := range c.Max + 1 {
		if ChallengeHash(c.Salt, n) == c.Hash {
			return parley.Solution{Salt: c.Salt, Hash: c.Hash, Signature: c.Signature, Number: n}
		}
	}
	t.Fatalf("challenge %+v has no solution", c)
	return parley.Solution{}
}

// ChallengeHash is the hash of a number behind a salt.
func ChallengeHash(salt string, number int64) string {
	sum := sha256.Sum256([]byte(salt + strconv.FormatInt(number, 10)))
	return hex.EncodeToString(sum[:])
}
