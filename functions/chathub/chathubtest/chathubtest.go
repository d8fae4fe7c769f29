// Package chathubtest is a test kit: the suite of the SignalR hub, for any host of its
// functions. It speaks the protocol as SignalR's JavaScript client does, frame by
// frame. Its tests are named for the assertions of the hub's contract, V1 to V38, as
// far as these need neither that client nor a browser.
package chathubtest

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/local/gateway"
	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/token"
)

// Host is the hub under test, and what its test needs besides. Its agent is "openai"
// at Model; nothing else calls that.
type Host struct {
	// Base is the address below which negotiate is, Socket that to which clients
	// connect, with http in place of ws.
	Base, Socket string
	// Gateway returns what holds the connections now, and does what is to go wrong.
	Gateway func() *gateway.API
	// Store is another store over the functions' table, and Master its secret.
	Store  *parley.Store
	Master string
	Model  *apitest.ModelServer
	// Dump returns all items of the table.
	Dump func(t testing.TB) map[table.Key]table.Item
	// Break makes the hub panic at the next frame that reads the table, where the host
	// can.
	Break func()
	// Kill ends, without a word, the process that writes replies, whatever it does, and
	// starts it again; nil where the host cannot.
	Kill func(t testing.TB)
	// Pass lets so much time pass, and then does what is due every minute; nil where
	// the host cannot.
	Pass func(t testing.TB, d time.Duration)
	// Restart stops the hub as whoever runs it does, and starts it again at the same
	// addresses; nil where the host cannot. The Gateway is another one then.
	Restart func(t testing.TB)
}

// Run tests the host, as far as it can do what a test needs. Its tests leave projects of their own behind.
func Run(t *testing.T, host Host) {
	s := newSuite(t, host)
	lacks := map[string]bool{"V18_Panic": host.Break == nil, "V37_Restart": host.Restart == nil, "V38_RelayDies": host.Kill == nil || host.Pass == nil, "AccessOfExpired": host.Pass == nil}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"V1_Negotiate", testNegotiate},
		{"V2_NoStatefulReconnect", testStateful},
		{"V3_ConnectionToken", testConnectionToken},
		{"V4_CORS", testCORS},
		{"V5_Refused", testRefused},
		{"V5_Origins", testOrigins},
		{"V6_Connects", testConnects},
		{"V7_NoNegotiation", testNoNegotiation},
		{"V8_TokenPlaces", testTokenPlaces},
		{"V9_Metadata", testMetadata},
		{"V9_BadMetadata", testBadMetadata},
		{"V9_Language", testLanguage},
		{"V10_Handshake", testHandshake},
		{"V11_WholeRecords", testWholeRecords},
		{"V12_JoinedRecords", testJoined},
		{"V13_UnknownMethod", testUnknownMethod},
		{"V14_SendIsNotCompleted", testSend},
		{"V15_Completions", testCompletions},
		{"V16_Pings", testPings},
		{"V17_TypingOnly", testTypingOnly},
		{"V18_Panic", testPanic},
		{"V19_OtherTypes", testOtherTypes},
		{"V20_Reply", testReply},
		{"V21_OneWord", testOneWord},
		{"V22_Gap", testGap},
		{"V23_CodePoints", testCodePoints},
		{"V24_Typing", testTyping},
		{"V25_CompletesAtOnce", testAtOnce},
		{"V26_Order", testOrder},
		{"V27_Cancel", testCancel},
		{"V27_CancelLeavesTheQueue", testCancelQueue},
		{"V28_End", testEnd},
		{"V28_EndElsewhere", testEndElsewhere},
		{"V29_DroppedNamed", testDroppedNamed},
		{"V30_DroppedUnnamed", testDroppedUnnamed},
		{"V30_LeftOnPurpose", testLeftOnPurpose},
		{"V31_Gone", testGone},
		{"V32_Disconnects", testDisconnects},
		{"V33_Duplicates", testDuplicates},
		{"V34_FirstRecord", testFirstRecord},
		{"V34_Jitter", testJitter},
		{"V35_LongFrames", testLongFrames},
		{"V36_TwoTabs", testTwoTabs},
		{"V37_Restart", testRestart},
		{"People", testPeople},
		{"SessionID", testSessionID},
		{"BadInput", testBadInput},
		{"AccessOfNegotiate", testAccessOfNegotiate},
		{"AccessOfFrames", testAccessOfFrames},
		{"BlockedHears", testBlockedHears},
		{"BlockedReply", testBlockedReply},
		{"KeysRemoved", testKeysRemoved},
		{"V38_RelayDies", testRelayDies}, // the last two, for they let time pass
		{"AccessOfExpired", testExpired},
	} {
		if lacks[test.name] {
			continue
		}
		t.Run(test.name, func(t *testing.T) { test.run(t, s.of(t)) })
	}
}

// suite is the host under test.
type suite struct {
	Host
	keys *token.Keyring
	// own are the projects of the test that runs.
	own parleytest.Own
	// arrived are the clients that messages have arrived at whole, by their ids.
	arrived *sync.Map
}

func newSuite(t *testing.T, host Host) *suite {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(host.Master)}})
	if err != nil {
		t.Fatal(err)
	}
	return &suite{Host: host, keys: keys, arrived: new(sync.Map)}
}

// of returns the suite for one test, after which nothing goes wrong any more.
func (s *suite) of(t *testing.T) *suite {
	one := *s
	one.own = parleytest.Own{}
	t.Cleanup(func() { s.Gateway().Inject(gateway.Faults{}) })
	return &one
}

// standing returns the items of the test's projects, as far as nothing changes them
// that nobody asks for, once nothing is under way: no page is being told anything, and
// of every connection that has ended the hub has heard.
func (s *suite) standing(t testing.TB) map[table.Key]table.Item {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		all := s.own.Standing(s.Dump(t))
		if what := s.underWay(all); what == "" {
			return all
		} else if time.Now().After(end) {
			t.Fatalf("%s is under way for %v", what, patience)
		}
	}
}

// underWay returns what of the test's projects is under way. Other tests have lost the
// end of connections, which the hub never hears of.
func (s *suite) underWay(all map[table.Key]table.Item) string {
	open := s.Gateway().Connections()
	for k, item := range all {
		var c parley.Connection
		isConnection := strings.HasPrefix(k.PK, "~/connection/") && json.Unmarshal([]byte(item.String("data")), &c) == nil
		switch {
		case k.SK == "mark/follow/push" && item["until"] != nil && !erased(all, k),
			isConnection && s.own[c.Project] && item["ready"] == true && !slices.Contains(open, c.ID):
			return k.PK + " " + k.SK
		}
	}
	return ""
}

// erased reports whether the session that an item belongs to is a tombstone, of which the
// sweep removes all else: whoever is at work on it gives no lease back.
func erased(all map[table.Key]table.Item, k table.Key) bool {
	for at, item := range all {
		if _, _, isHead := parley.HeadOf(at); isHead && at.PK == k.PK {
			return item.Bool("erased")
		}
	}
	return false
}
