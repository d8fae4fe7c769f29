package parley

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/socket"
	"parley/shared/table"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// input is what keys are made of.
type input struct {
	project ProjectID
	a, b    string
	n       int64
}

// builder is a function of keys.go: the name, the key that it makes, the part
// of the input that the key is of, and how the access-pattern table writes it,
// where that is not the key itself.
type builder struct {
	name  string
	make  func(i input) table.Key
	of    func(i input) input
	table string
}

// index makes a key of an index, of which only the partition or the sort key is built.
func index(partition, sort string) table.Key {
	return table.Key{PK: "index:" + partition, SK: sort}
}

// The parts of an input.
func nothing(input) input       { return input{} }
func justA(i input) input       { return input{a: i.a} }
func justN(i input) input       { return input{n: i.n} }
func project(i input) input     { return input{project: i.project} }
func projectA(i input) input    { return input{project: i.project, a: i.a} }
func projectN(i input) input    { return input{project: i.project, n: i.n} }
func projectAB(i input) input   { return input{project: i.project, a: i.a, b: i.b} }
func projectAN(i input) input   { return input{project: i.project, a: i.a, n: i.n} }
func aAndN(i input) input       { return input{a: i.a, n: i.n} }
func everything(i input) input  { return i }
func odd(n int64) bool          { return n%2 == 1 }
func at(n int64) time.Time      { return time.UnixMilli(n) }
func foldedEmail(i input) input { return input{project: i.project, a: foldEmail(i.a), n: i.n % 2} }
func evenOrOdd(i input) input   { return input{project: i.project, a: i.a, n: i.n % 2} }

// builders are all of keys.go.
var builders = []builder{
	{"projectKey", func(i input) table.Key { return projectKey(i.project) }, project, "P/project -"},
	{"publicKeyKey", func(i input) table.Key { return publicKeyKey(i.a) }, justA, "~/public/KEY -"},
	{"privateKeyKey", func(i input) table.Key { return privateKeyKey(i.a) }, justA, "~/private/HASH -"},
	{"consoleTicketKey", func(i input) table.Key { return consoleTicketKey(i.a) }, justA, "~/ticket/HASH -"},
	{"privateSlotKey", func(i input) table.Key {
		if odd(i.n) {
			return privateSlotKey(i.project, OperatorID("o"+i.a), "", 1)
		}
		return privateSlotKey(i.project, "", i.a, 1)
	}, evenOrOdd, "P/project private/WHOSE/N"},
	{"operatorKey", func(i input) table.Key { return operatorKey(i.project, OperatorID(i.a)) }, projectA, "P/project operator/ID"},
	{"connectionKey", func(i input) table.Key { return connectionKey(socket.Ref{API: i.a, ID: i.b}) }, func(i input) input { return input{a: i.a, b: i.b} }, "~/connection/API/ID -"},
	{"connectedKey", func(i input) table.Key {
		return connectedKey(visitorKey(i.project, VisitorID(i.a)).PK, socket.Ref{API: "chathub", ID: i.b})
	}, projectAB, "P/visitor/V connection/API/ID"},
	{"teamPK", func(i input) table.Key { return table.Key{PK: teamPK(i.project)} }, project, "P/team"},
	{"lineKey", func(i input) table.Key { return lineKey(i.project, SessionID(i.a)) }, projectA, "P/session/S connection~"},
	{"resumeKey", func(i input) table.Key { return resumeKey(i.project, i.a) }, projectA, "P/resume/HASH -"},
	{"visitorKey", func(i input) table.Key { return visitorKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V -"},
	{"visitorAboutKey", func(i input) table.Key { return visitorAboutKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V about"},
	{"visitorSaidKey", func(i input) table.Key { return visitorSaidKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V said"},
	{"visitorTrackKey", func(i input) table.Key { return visitorTrackKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V track"},
	{"visitorKeptKey", func(i input) table.Key { return visitorKeptKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V kept"},
	{"feedbackKey", func(i input) table.Key {
		if odd(i.n) {
			return feedbackKey(i.project, "v", SessionID(i.a), i.b)
		}
		return feedbackKey(i.project, VisitorID(i.a), "", i.b)
	}, func(i input) input { return input{i.project, i.a, i.b, i.n % 2} }, "P/visitor/V feedback/ID"},
	{"blockJobKey", func(i input) table.Key { return blockJobKey(i.project, ContactID(i.a)) }, projectA, "P/contact/C job/block"},
	{"claimJobKey", func(i input) table.Key { return claimJobKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V job/claim"},
	{"visitorEraseKey", func(i input) table.Key { return visitorEraseKey(i.project, VisitorID(i.a)) }, projectA, "P/visitor/V job/erase"},
	{"contactEraseKey", func(i input) table.Key { return contactEraseKey(i.project, ContactID(i.a)) }, projectA, "P/contact/C job/erase"},
	{"contactKey", func(i input) table.Key { return contactKey(i.project, ContactID(i.a)) }, projectA, "P/contact/C -"},
	{"contactVisitorKey", func(i input) table.Key {
		return contactVisitorKey(i.project, ContactID(i.a), VisitorID(i.b))
	}, projectAB, "P/contact/C visitor/V"},
	{"externalKey", func(i input) table.Key { return externalKey(i.project, odd(i.n), i.a) }, evenOrOdd, "P/external/PROOF/ID -"},
	{"emailKey", func(i input) table.Key { return emailKey(i.project, odd(i.n), i.a) }, foldedEmail, "P/email/PROOF/FOLDED -"},
	{"sessionPK", func(i input) table.Key { return table.Key{PK: sessionPK(i.project, SessionID(i.a))} }, projectA, "P/session/S"},
	{"headKey", func(i input) table.Key { return headKey(i.project, SessionID(i.a)) }, projectA, "P/session/S entry~"},
	{"aboutKey", func(i input) table.Key { return aboutKey(i.project, SessionID(i.a)) }, projectA, "P/session/S about"},
	{"entryKey", func(i input) table.Key { return entryKey(i.project, SessionID(i.a), Seq(i.n)) }, projectAN, "P/session/S entry/SEQ"},
	{"extrasKey", func(i input) table.Key { return extrasKey(i.project, RunID(i.a)) }, projectA, "P/run/CLIENT +"},
	{"ratingKey", func(i input) table.Key { return ratingKey(i.project, SessionID(i.a)) }, projectA, "P/session/S rating"},
	{"typingKey", func(i input) table.Key { return typingKey(i.project, SessionID(i.a)) }, projectA, "P/session/S typing"},
	{"joinedKey", func(i input) table.Key { return joinedKey(i.project, SessionID(i.a), OperatorID(i.b)) }, projectAB, "P/session/S joined/ID"},
	{"countedKey", func(i input) table.Key { return countedKey(i.project, SessionID(i.a)) }, projectA, "P/session/S counted"},
	{"reviewKey", func(i input) table.Key { return reviewKey(i.project, SessionID(i.a), int(i.n)) }, projectAN, "P/session/S review/N"},
	{"jobKey", func(i input) table.Key {
		return jobKey(i.project, SessionID(i.a), []string{"look", "erase"}[i.n%2])
	}, evenOrOdd, "P/session/S job/KIND"},
	{"markKey", func(i input) table.Key {
		return markKey(i.project, SessionID(i.a), []string{"seen", "received", markFollow}[i.n%3], i.b)
	}, func(i input) input { return input{i.project, i.a, i.b, i.n % 3} }, "P/session/S mark/KIND/WHO"},
	{"hookKey", func(i input) table.Key { return hookKey(i.project, SessionID(i.a), HookID(i.b)) }, projectAB, "P/session/S hook/ID"},
	{"failedHookKey", func(i input) table.Key { return failedHookKey(i.project, SessionID(i.a), HookID(i.b), Seq(i.n)) },
		everything, "P/session/S hook/ID/SEQ"},
	{"logKey", func(i input) table.Key { return logKey(i.project, RunID(i.a), int(i.n)) }, projectAN, "P/run/CLIENT N"},
	{"fileKey", func(i input) table.Key { return fileKey(i.project, FileID(i.a)) }, projectA, "P/file/F -"},
	{"fileJobKey", func(i input) table.Key { return fileJobKey(i.project, FileID(i.a)) }, projectA, "P/file/F job/drop"},
	{"totalsKey", func(i input) table.Key { return totalsKey(i.project, i.a) }, projectA, "P/totals/DAY -"},
	{"counterKey", func(i input) table.Key { return counterKey(i.project, i.a, i.b, i.n) }, everything, "P/count/NAME/SUBJECT WINDOW"},
	{"toldKey", func(i input) table.Key { return toldKey(i.project, SessionID(i.a), Way(i.b)) }, projectAB, "P/session/S told/WAY"},
	{"seatsKey", func(i input) table.Key { return seatsKey(i.project, i.a, i.b) }, projectAB, "P/seats/KIND/SUBJECT -"},
	{"noticeKey", func(i input) table.Key { return noticeKey(i.project, Way(i.a)) }, projectA, "P/notice/WAY -"},
	{"sweepKey", func(input) table.Key { return sweepKey() }, nothing, "~/sweep -"},
	{"ownerPartition", func(i input) table.Key {
		if odd(i.n) {
			return index(ownerPartition(i.project, Owner{Visitor: VisitorID(i.b), Contact: ContactID("c" + i.a)}), "")
		}
		return index(ownerPartition(i.project, Owner{Visitor: VisitorID(i.a)}), "")
	}, evenOrOdd, "P/visitor/V or P/contact/C"},
	{"scopePartition", func(i input) table.Key {
		return index(ownerPartition(i.project, Owner{Visitor: "v", Contact: ContactID("c" + i.a), External: "e" + i.b}), "")
	}, projectAB, "P/scope/C/ID TIME/S"},
	{"inboxPartition", func(i input) table.Key {
		states, holders := []State{StateOpen, StateClosed, StateResolved, StateSpam}, []Holder{HolderAI, HolderWaiting, HolderHuman}
		return index(inboxPartition(i.project, states[i.n%4], holders[i.n/4%3], int(i.n/12)), "")
	}, projectN, "P/inbox/STATE-HOLDER/SHARD TIME/S"},
	{"ratingsPartition", func(i input) table.Key { return index(ratingsPartition(i.project), "") }, project, "P/ratings TIME/S"},
	{"feedbackPartition", func(i input) table.Key { return index(feedbackPartition(i.project), "") }, project, "P/feedback TIME/ID"},
	{"failedHooksPartition", func(i input) table.Key { return index(failedHooksPartition(i.project, HookID(i.a)), "") }, projectA, "P/hook/ID/failed TIME/S"},
	{"duePartition", func(i input) table.Key { return index(duePartition(i.n, 3), "") }, justN, "~/due/MINUTE/SHARD"},
	{"timeAndSession", func(i input) table.Key { return index("", timeAndSession(at(i.n), SessionID(i.a))) }, aAndN, "TIME/S"},
	{"dueSort", func(i input) table.Key { return index("due", dueSort(at(i.n), i.project, i.a)) }, projectAN, "TIME/P/ID"},
}

// notBuilders are the functions of keys.go that make no whole key.
var notBuilders = []string{"escape", "unescape", "path", "deploymentPath", "proof", "foldEmail", "stamp", "dueShard",
	"minuteOf", "splitTimeAndSession", "HeadOf"}

// TestKeysAreGolden pins every key: stored data is found again by it.
func TestKeysAreGolden(t *testing.T) {
	var b strings.Builder
	for _, build := range builders {
		for _, i := range []input{
			{"demo", "v1", "w2", 7},
			{"demo", "Zoë/Ü.~ 100%\x00@example.com", "a/b", 1792972800002},
		} {
			if build.name == "logKey" || build.name == "entryKey" || build.name == "reviewKey" || build.name == "failedHookKey" {
				i.n %= 1000000
			}
			k := build.make(i)
			fmt.Fprintf(&b, "%s %q %q\n", build.name, k.PK, k.SK)
		}
	}
	const golden = "testdata/keys.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(wanted) {
		t.Errorf("%d keys, %s has %d", len(got), golden, len(wanted))
	}
	for i := range min(len(got), len(wanted)) {
		if got[i] != wanted[i] {
			t.Errorf("key = %s, want %s", got[i], wanted[i])
		}
	}
}

// TestEveryBuilderIsKnown holds keys.go, its table of access patterns and the
// list above to one another.
func TestEveryBuilderIsKnown(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Clone(notBuilders)
	for _, b := range builders {
		known = append(known, b.name)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && !slices.Contains(known, f.Name.Name) {
			t.Errorf("%s is in keys.go and not among the builders", f.Name.Name)
		}
	}
	patterns := map[string]bool{}
	for line := range strings.Lines(file.Comments[0].Text()) {
		patterns[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, b := range builders {
		named := false
		for p := range patterns {
			named = named || strings.Contains(p+" ", " "+b.table+" ")
		}
		if !named {
			t.Errorf("the table of access patterns does not name %q, which %s makes", b.table, b.name)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a", "a/b", ".", "..", "~", "%", "\x00", "ü", "\xff", "A.2F", "a.b/c~d e"} {
		f.Add(s, s+"/")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := escape(a), escape(b)
		if back, ok := unescape(x); !ok || back != a {
			t.Fatalf("unescape(%q) = %q, %v, want %q", x, back, ok, a)
		}
		if strings.ContainsAny(x, "/~") {
			t.Fatalf("escape(%q) = %q", a, x)
		}
		if (x == y) != (a == b) {
			t.Fatalf("escape(%q) = %q, escape(%q) = %q", a, x, b, y)
		}
		if raw, ok := unescape(a); ok && escape(raw) != a {
			t.Fatalf("unescape(%q) = %q, which is written %q", a, raw, escape(raw))
		}
	})
}

// FuzzKeys makes all keys from two inputs: two keys are equal only if the
// builder and all that it uses are equal; no partition is another's beginning up
// to a "/"; and a key begins with its own project.
func FuzzKeys(f *testing.F) {
	f.Add("demo", "a", "b", int64(1), "demo", "a/b", "", int64(2))
	f.Add("demo", "~", "", int64(0), "~", "demo", "x", int64(0))
	f.Add("a", "project", "-", int64(3), "a/project", "-", "a", int64(3))
	f.Add("p", "visitor/v", "job", int64(5), "p/visitor", "v", "job", int64(5))
	f.Add("p", "K@x", "", int64(1), "p", "\u212a@x", "", int64(1))
	f.Fuzz(func(t *testing.T, p1, a1, b1 string, n1 int64, p2, a2, b2 string, n2 int64) {
		x := input{ProjectID(p1), a1, b1, max(n1, 0) % 1000000}
		y := input{ProjectID(p2), a2, b2, max(n2, 0) % 1000000}
		for _, one := range builders {
			k := one.make(x)
			for _, other := range builders {
				compareKeys(t, one, other, k, other.make(y), x, y)
			}
			first, _, _ := strings.Cut(strings.TrimPrefix(k.PK, "index:"), "/")
			of := one.of(x)
			switch {
			case of.project != "" && k.PK != "index:due" && k.PK != "index:" && first != escape(p1):
				t.Fatalf("%s(%+v) = %v, which is not its project's", one.name, x, k)
			case of.project == "" && p1 != "" && first == escape(p1) && first != "":
				t.Fatalf("%s(%+v) = %v, which is a project's", one.name, x, k)
			}
		}
	})
}

func compareKeys(t *testing.T, one, other builder, k, l table.Key, x, y input) {
	same := one.name == other.name && one.of(x) == other.of(y)
	if one.name == "sessionPK" || other.name == "sessionPK" {
		same = k == l // the partition of other builders, and no key
	}
	if (k == l) != same {
		t.Fatalf("%s(%+v) = %v and %s(%+v) = %v", one.name, x, k, other.name, y, l)
	}
	if k.PK != l.PK && k.PK != "index:" && strings.HasPrefix(l.PK, k.PK+"/") {
		t.Fatalf("%s(%+v) = %v begins %s(%+v) = %v", one.name, x, k, other.name, y, l)
	}
}

// TestSortKeysOrder: what lists sort by orders like the numbers and times in it.
func TestSortKeysOrder(t *testing.T) {
	now := time.Date(2026, 10, 16, 12, 0, 0, 0, time.UTC)
	for _, order := range [][]string{
		{entryKey("p", "s", 9).SK, entryKey("p", "s", 10).SK, entryKey("p", "s", 9_999_999_999).SK, headKey("p", "s").SK},
		{logKey("p", "r", 0).SK, logKey("p", "r", 9).SK, logKey("p", "r", 10).SK, logKey("p", "r", 999_999).SK},
		{timeAndSession(time.UnixMilli(999), "z"), timeAndSession(now, "a"), timeAndSession(now, "b"), timeAndSession(now.Add(time.Millisecond), "a")},
		{dueSort(now, "z", "z"), dueSort(now.Add(time.Millisecond), "a", "a")},
		{stamp(now) + "/" + escape("\xff~"), stamp(now) + "/~", stamp(now.Add(time.Millisecond))},
	} {
		if !slices.IsSorted(order) || len(slices.Compact(slices.Clone(order))) != len(order) {
			t.Errorf("%q is not in order", order)
		}
	}
}

func TestKeysFitTheTable(t *testing.T) {
	longest := strings.Repeat("ü", MaxIDBytes/2)
	i := input{ProjectID(strings.Repeat("p", 32)), longest, longest, 999_999}
	for _, b := range builders {
		k := b.make(i)
		if len(k.PK) > table.MaxPKBytes || len(k.SK) > table.MaxSKBytes {
			t.Errorf("%s: a key of %d and %d bytes", b.name, len(k.PK), len(k.SK))
		}
	}
}

func TestSplitTimeAndSession(t *testing.T) {
	at, id, ok := splitTimeAndSession(timeAndSession(time.UnixMilli(1234), "s/1"))
	if at != 1234 || id != "s/1" || !ok {
		t.Errorf("splitTimeAndSession = %d, %q, %v", at, id, ok)
	}
	for _, wrong := range []string{"", "1234", "x/s", "1234/s.", "1234/s.2f", "1234/a/b"} {
		if at, id, ok := splitTimeAndSession(wrong); ok {
			t.Errorf("splitTimeAndSession(%q) = %d, %q", wrong, at, id)
		}
	}
}

func TestHeadOf(t *testing.T) {
	for _, id := range []SessionID{"s1", "a/b.~ü", "\xff"} {
		p, got, ok := HeadOf(headKey("demo", id))
		if p != "demo" || got != id || !ok {
			t.Errorf("HeadOf(head of %q) = %q, %q, %v", id, p, got, ok)
		}
	}
	for _, b := range builders {
		if p, id, ok := HeadOf(b.make(input{"demo", "a", "b", 1})); ok && b.name != "headKey" {
			t.Errorf("HeadOf(%s) = %q, %q", b.name, p, id)
		}
	}
	if p, id, ok := HeadOf(table.Key{PK: "demo/session/a.b", SK: skHead}); ok {
		t.Errorf("HeadOf of what nobody wrote = %q, %q", p, id)
	}
}
