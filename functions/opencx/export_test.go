package opencx

import "parley/shared/parley"

// Neutral and NeutralLine are what keeps markup from doing anything, for tests.
var (
	Neutral     = neutral
	NeutralLine = neutralLine
)

// ActionCall is how a call of an action is written, for tests.
func ActionCall(c *parley.ActionCall) any { return newActionCall(c) }
