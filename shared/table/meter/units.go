package meter

import "parley/shared/table"

// Unit sizes of DynamoDB (Developer Guide, "DynamoDB on-demand capacity mode").
const (
	writeUnitBytes = 1 << 10
	readUnitBytes  = 4 << 10
)

var indexes = []table.Index{table.Owner, table.Work}

// Units are the write units of some actions.
type Units struct {
	// Actions is how many actions there were.
	Actions int
	// Table and Index are what the table and its indexes consumed.
	Table, Index int
}

// Total returns the units of the table and its indexes together.
func (u Units) Total() int { return u.Table + u.Index }

func (u Units) plus(o Units) Units {
	return Units{u.Actions + o.Actions, u.Table + o.Table, u.Index + o.Index}
}

// actionUnits is what one action consumes. The table counts the larger of the
// images before and after it, twice in a transaction, as which a lone check is
// sent too; an index is never counted twice.
func actionUnits(kind table.ActionKind, transaction bool, before, after table.Item) Units {
	u := Units{Actions: 1, Table: max(started(before.Size(), writeUnitBytes), started(after.Size(), writeUnitBytes))}
	if transaction || kind == table.CheckAction {
		u.Table *= 2
	}
	for _, x := range indexes {
		u.Index += entryUnits(x.Entry(before), x.Entry(after))
	}
	return u
}

// entryUnits is what an index of keys consumes: nothing where its entry stays
// as it is, else one unit to take the old entry out and one to put the new one in.
func entryUnits(before, after table.Item) int {
	if before.Equal(after) {
		return 0
	}
	units := 0
	for _, entry := range []table.Item{before, after} {
		if entry != nil {
			units += started(entry.Size(), writeUnitBytes)
		}
	}
	return units
}

// readUnits is what a read of so many bytes consumes: half where it need not be consistent.
func readUnits(bytes int, consistent bool) float64 {
	units := float64(started(bytes, readUnitBytes))
	if consistent {
		return units
	}
	return units / 2
}

// started returns how many units of a size are begun, at least one.
func started(bytes, unit int) int { return max(1, (bytes+unit-1)/unit) }
