package bolt_test

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"testing"

	"parley/shared/table"
	"parley/shared/table/bolt"
)

func FuzzDecodeItem(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Add(bolt.AppendItem(nil, table.Item{"pk": "p", "sk": "ä", "n": int64(math.MinInt64), "yes": true, "no": false}))
	f.Fuzz(func(t *testing.T, stored []byte) {
		item, rest, err := bolt.DecodeItem(stored)
		if err != nil {
			return
		}
		again, left, err := bolt.DecodeItem(append(bolt.AppendItem(nil, item), rest...))
		if err != nil || !again.Equal(item) || (again == nil) != (item == nil) || !bytes.Equal(left, rest) {
			t.Errorf("%x is %v and rest %x, which stored again is %v and rest %x (%v)", stored, item, rest, again, left, err)
		}
	})
}

func FuzzItemSurvivesStoring(f *testing.F) {
	f.Add("pk", "name", "value", int64(-1), true)
	f.Fuzz(func(t *testing.T, name, other, text string, n int64, yes bool) {
		item := table.Item{name: text, other: n, name + other: yes}
		got, rest, err := bolt.DecodeItem(bolt.AppendItem(nil, item))
		if err != nil || len(rest) > 0 || !got.Equal(item) {
			t.Errorf("stored %v, got %v and rest %x (%v)", item, got, rest, err)
		}
	})
}

// FuzzKeyOrder checks that stored keys sort as (partition, sort key) do within
// a partition, and that no key of a partition begins as those of another.
func FuzzKeyOrder(f *testing.F) {
	f.Add("p", "a", "a\x00", "q", "s")
	f.Add("p", "\x00", "\x00\xff", "p\x00", "\x01")
	f.Add("", "", "", "", "")
	f.Fuzz(func(t *testing.T, partition, a, b, otherPartition, sk string) {
		for _, s := range []string{partition, a, b, otherPartition, sk} {
			if len(s) > table.MaxSKBytes {
				t.Skip()
			}
		}
		key := func(pk, sk string) []byte { return bolt.ItemKey(table.Key{PK: pk, SK: sk}) }
		if got, want := bytes.Compare(key(partition, a), key(partition, b)), strings.Compare(a, b); got != want {
			t.Errorf("keys of %q and %q compare as %d, want %d", a, b, got, want)
		}
		if partition != otherPartition && bytes.HasPrefix(key(otherPartition, sk), key(partition, "")) {
			t.Errorf("partition %q is in the range of %q", otherPartition, partition)
		}
		entry := func(sort, pk string) table.Item {
			return table.Item{"op": partition, "os": sort, table.PK: pk, table.SK: sk}
		}
		one, two := bolt.EntryKey(table.Owner, entry(a, "x")), bolt.EntryKey(table.Owner, entry(b, otherPartition))
		if got, want := bytes.Compare(one, two), strings.Compare(a, b); a != b && got != want {
			t.Errorf("entries of %q and %q compare as %d, want %d", a, b, got, want)
		}
		if got, err := bolt.DecodeEntry(table.Owner, two); err != nil || !got.Equal(entry(b, otherPartition)) {
			t.Errorf("entry %v is read as %v (%v)", entry(b, otherPartition), got, err)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(bolt.EntryKey(table.Work, table.Item{"wp": "w", "ws": "1\x00", table.PK: "p", table.SK: "s"}))
	f.Add([]byte{0, 1})
	f.Fuzz(func(t *testing.T, stored []byte) {
		entry, err := bolt.DecodeEntry(table.Work, stored)
		if err != nil {
			return
		}
		if again := bolt.EntryKey(table.Work, entry); !bytes.Equal(again, stored) {
			t.Errorf("%x is %v, which stored again is %x", stored, entry, again)
		}
	})
}

func TestTimesSortAsNumbers(t *testing.T) {
	times := []int64{math.MinInt64, -1, 0, 1, 255, 256, math.MaxInt64}
	for _, a := range times {
		for _, b := range times {
			if got := bytes.Compare(bolt.AppendTime(nil, a), bolt.AppendTime(nil, b)); got != cmp.Compare(a, b) {
				t.Errorf("%d and %d compare as %d", a, b, got)
			}
		}
	}
}

// TestBrokenItem: an item is read whole or not at all, and a number of more than 64
// bits is none.
func TestBrokenItem(t *testing.T) {
	for _, last := range []any{"value", "", int64(-1 << 40), int64(0), true} {
		stored := bolt.AppendItem(nil, table.Item{"pk": "p", "sk": "s", "z": last})
		for n := range stored {
			if got, rest, err := bolt.DecodeItem(stored[:n]); err == nil {
				t.Errorf("the first %d of %d bytes = %v and the rest %x", n, len(stored), got, rest)
			}
		}
	}
	stored := bolt.AppendItem(nil, table.Item{"pk": "p", "sk": "s", "z": true})
	stored[len(stored)-1] = 'x'
	if got, _, err := bolt.DecodeItem(stored); err == nil {
		t.Errorf("a value of no type = %v", got)
	}
	if got, _, err := bolt.DecodeItem(append([]byte{1}, bytes.Repeat([]byte{0xFF}, 11)...)); err == nil {
		t.Errorf("an item of too many attributes = %v", got)
	}
}
