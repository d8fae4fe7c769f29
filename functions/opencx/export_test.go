package opencx

import "parley/shared/parley"

// Neutral and NeutralLine are what keeps markup from doing anything, for tests.
var (
	Neutral     = neutral
	NeutralLine = neutralLine
)

// ActionCall is how a call of an action is written, for tests.
func ActionCall(c *parley.ActionCall) any { return newActionCall(c) }

// Cache is what an instance keeps of what it has rendered, for tests.
type Cache struct{ *cache }

func NewCache(most int) Cache { return Cache{newCache(most)} }

func (c Cache) Put(session string, bytes int) {
	c.put(place{session: parley.SessionID(session)}, &rendered{bytes: bytes})
}
func (c Cache) Drop(session string) { c.put(place{session: parley.SessionID(session)}, nil) }
func (c Cache) Get(session string) bool {
	return c.get(place{session: parley.SessionID(session)}) != nil
}
func (c Cache) Bytes() int { return c.bytes }
func (c Cache) Len() int   { return c.order.Len() }
