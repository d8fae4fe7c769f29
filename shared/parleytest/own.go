package parleytest

import (
	"maps"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/table"
)

// Own are the projects of one test, on a table where the replies, the sweep and
// the jobs of tests before it are still at work.
type Own map[parley.ProjectID]bool

// Standing returns, of all items of a table, those of the test's projects and the
// deployment's, as far as they change only by what somebody asks for. Left out are
// what a reply that is being written changes besides its text (its beats, and what
// visitors have spent, which is settled after its end), counters and seats, which
// every request moves, and the sweep's place.
func (o Own) Standing(all map[table.Key]table.Item) map[table.Key]table.Item {
	standing := map[table.Key]table.Item{}
	for k, item := range all {
		project, rest, _ := strings.Cut(k.PK, "/")
		switch {
		case k.PK == "~/sweep", project != "~" && !o[parley.ProjectID(project)]:
		case strings.HasPrefix(rest, "count/"), strings.HasPrefix(rest, "seats/"), strings.HasPrefix(rest, "run/") && strings.Contains(item.String("data"), `"kind":"beat"`):
		default:
			item = maps.Clone(item)
			delete(item, "spent")
			standing[k] = item
		}
	}
	return standing
}

// Same checks that two results of Standing are equal.
func Same(t testing.TB, before, after map[table.Key]table.Item) {
	t.Helper()
	all := maps.Clone(before)
	maps.Copy(all, after)
	for k := range all {
		if !before[k].Equal(after[k]) {
			t.Errorf("%v was %v and is %v, and perhaps more", k, before[k], after[k])
			return
		}
	}
}
