package live

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"parley/shared/parley"
	"parley/shared/socket"
)

// given is how many bytes of the messages that were begun the page has been given, by
// their names.
type given map[string]int

// inDoubt is of a message that a worker had begun who died: some of its text may have
// been given, and is not given again. whole is of one that was told out of its turn.
const (
	inDoubt = -1
	whole   = -2
)

// told is when the last frames of messages were taken, in seconds of Unix time, by
// connection and entry. A connection takes frames for a while after its client has
// vanished, so that they may have to be sent again.
type told map[string]map[parley.Seq]int64

// keptTold is how many last frames are remembered. Our choice: what a person writes in
// the minutes that it takes until a client comes back, and a mark with it stays under
// 1 KB, the size of a write unit.
const keptTold = 20

// connectionName is short, and another one for another connection but once in billions.
func connectionName(c socket.Ref) string {
	h := fnv.New32a()
	h.Write([]byte(c.API + "/" + c.ID))
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

func (t told) add(to socket.Ref, seq parley.Seq, at time.Time) {
	t.put(connectionName(to), seq, at.Unix())
	all := 0
	for _, entries := range t {
		all += len(entries)
	}
	for ; all > keptTold; all-- {
		t.forget()
	}
}

func (t told) put(connection string, seq parley.Seq, at int64) {
	if t[connection] == nil {
		t[connection] = map[parley.Seq]int64{}
	}
	t[connection][seq] = max(at, t[connection][seq])
}

// forget drops the oldest.
func (t told) forget() {
	var connection string
	var first parley.Seq
	for name, entries := range t {
		for seq, at := range entries {
			if connection == "" || at < t[connection][first] {
				connection, first = name, seq
			}
		}
	}
	if delete(t[connection], first); len(t[connection]) == 0 {
		delete(t, connection)
	}
}

// doubtful returns the entries whose last frames may be lost: those that other
// connections than the current one were given after a time. Where a connection ended
// long after the last of them, its client had been heard in between, or it would have
// ended for being idle.
func (t told) doubtful(current socket.Ref, after, ended time.Time) map[parley.Seq]time.Time {
	out := map[parley.Seq]time.Time{}
	for connection, entries := range t {
		last := time.Unix(slices.Max(slices.Collect(maps.Values(entries))), 0)
		if connection == connectionName(current) || ended.Sub(last) > socket.MaxIdle+Unsure {
			continue
		}
		for seq, at := range entries {
			if at := time.Unix(at, 0); at.After(after) && at.After(out[seq]) {
				out[seq] = at
			}
		}
	}
	return out
}

// toldName is where told stands in a note, among the names of messages, which are never
// empty.
const toldName = ""

// noteOf is the note at the follower's mark.
func noteOf(g given, t told) string {
	if len(g)+len(t) == 0 {
		return ""
	}
	all := map[string]any{}
	for name, n := range g {
		all[name] = n
	}
	if len(t) > 0 {
		all[toldName] = t
	}
	note, _ := json.Marshal(all) // strings and numbers always encode
	return string(note)
}

// readNote is the inverse. Of what cannot be read nothing is known.
func readNote(note string) (given, told) {
	var all map[string]json.RawMessage
	g, t := given{}, told{}
	if json.Unmarshal([]byte(note), &all) != nil {
		return g, t
	}
	for name, value := range all {
		var n int
		if name == toldName {
			_ = json.Unmarshal(value, &t) // what cannot be read is not there
		} else if json.Unmarshal(value, &n) == nil {
			g[name] = n
		}
	}
	return g, t
}

// recall takes from the note what this worker does not know better itself. After a
// worker that died it may have been given more.
func (t *teller) recall(note string, died bool) {
	noted, told := readNote(note)
	for name, n := range noted {
		if _, known := t.given[name]; known {
			continue
		}
		if died && n != whole {
			n = inDoubt
		}
		t.given[name] = n
	}
	t.recallTold(told)
}

func (t *teller) recallTold(noted told) {
	for connection, entries := range noted {
		for seq, at := range entries {
			t.told.put(connection, seq, at)
		}
	}
}

// claim is the note of who begins a message: if this worker dies, nobody knows how much
// of it was given.
func (t *teller) claim(name string) string {
	note := maps.Clone(t.given)
	note[name] = inDoubt
	return noteOf(note, t.told)
}
