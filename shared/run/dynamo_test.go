package run_test

import (
	"fmt"
	"testing"

	"parley/shared/parleytest"
)

func TestAnyInterleavingOnDynamoDB(t *testing.T) {
	t.Parallel()
	const perTable = 25
	last := firstSeed() + seeds(t, 20, "PARLEY_DYNAMODB_SEEDS")
	for first := firstSeed(); first < last; first += perTable {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel() // they mostly wait for DynamoDB Local
			parleytest.OnDynamoDB(t, func(t *testing.T, tbl *parleytest.Listed) {
				simulate(t, tbl, first, min(first+perTable, last))
			})
		})
	}
}

// TestCrashOnDynamoDB: as TestCrashAtEveryCall, at one call in three: which calls there
// are does not depend on the table.
func TestCrashOnDynamoDB(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			parleytest.OnDynamoDB(t, func(t *testing.T, tbl *parleytest.Listed) { crash(t, tbl, s, 3) })
		})
	}
}
