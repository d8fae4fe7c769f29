package main

import (
	"strings"
	"testing"
	"time"

	"parley/shared/awstest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// TestRestore rehearses what docs/operating.md tells: sessions were lost, and come
// back from a table that a backup was restored to, beside what has happened since.
func TestRestore(t *testing.T) {
	backup, live := awstest.Table(t), awstest.StreamedTable(t, time.Now)
	old := parleytest.Store(t, parley.Config{Table: backup})
	parleytest.Put(t, old, parleytest.Settings())
	visitor := parleytest.Visitor(t, old)
	lost := parleytest.Turn(t, old, visitor, "m1", "").ID
	want := parleytest.Brief(parleytest.Entries(t, old, visitor, lost))

	now := parleytest.Store(t, parley.Config{Table: live})
	changed := parleytest.Settings()
	changed.Name = "Changed since"
	parleytest.Put(t, now, changed)
	parleytest.Turn(t, now, parleytest.Visitor(t, now), "m2", "")

	client := awstest.DynamoDB(t)
	looked, copied, err := restore(t.Context(), client, backup.Name(), live.Name())
	if err != nil || copied == 0 || copied >= looked {
		t.Fatalf("looked at %d, copied %d, %v; want all but the settings, which are there", looked, copied, err)
	}
	var order []string // in which the items of the lost session came
	for _, c := range awstest.Changes(t, live) {
		if c.New != nil && strings.HasSuffix(c.New.String(table.PK), "/session/"+string(lost)) {
			order = append(order, c.New.String(table.SK))
		}
	}
	if len(order) < 3 || order[len(order)-1] != head {
		t.Errorf("the items came as %q, want the head last", order)
	}
	if got := parleytest.Brief(parleytest.Entries(t, now, visitor, lost)); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the lost session is %q, want %q", got, want)
	}
	parleytest.Turn(t, now, visitor, "m3", lost)
	if p, err := now.Settings(t.Context(), parleytest.Project); err != nil || p.Project.Name != "Changed since" {
		t.Errorf("the settings are %+v, %v", p.Project, err)
	}
	if _, again, err := restore(t.Context(), client, backup.Name(), live.Name()); err != nil || again != 0 {
		t.Errorf("once more, %d are copied, %v", again, err)
	}
}

func TestRefused(t *testing.T) {
	for _, tables := range [][2]string{{"", "a"}, {"a", ""}, {"a", "a"}} {
		if err := run(t.Context(), tables[0], tables[1], t.Output()); err == nil {
			t.Errorf("from %q to %q is copied", tables[0], tables[1])
		}
	}
}
