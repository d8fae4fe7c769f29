// Package hissunotest is a test kit: the suite of the Hissuno dialect, for any host
// of its function. It speaks HTTP as the widget does. Its tests are named for the
// assertions of the widget's contract, H1 to H40, as far as these need no browser.
package hissunotest

import (
	"testing"
	"time"

	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/token"
)

// Host is the function under test, and what its test needs besides HTTP. Its
// agent is "openai" at Model; nothing else calls that.
type Host struct {
	// URL is the base of the function.
	URL string
	// Store is another store over the function's table, and Master its secret.
	Store  *parley.Store
	Master string
	Model  *apitest.ModelServer
	// Dump returns all items of the table.
	Dump func(t testing.TB) map[table.Key]table.Item
	// Hold is how long the function holds a request for updates.
	Hold time.Duration
	// HTTPAPI says that the function stands behind an HTTP API of API Gateway,
	// which answers only whole.
	HTTPAPI bool
	// Begun returns how many requests the function was given so far. Behind an HTTP
	// API nothing else tells that one is being answered.
	Begun func() int64
	// Restart kills the function in whatever it does and starts it again.
	Restart func(t testing.TB)
}

// Run tests the host. Its tests leave projects of their own behind.
func Run(t *testing.T, host Host) {
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(host.Master)}})
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{Host: host, keys: keys}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"H1_Preflight", testPreflight},
		{"H2_ReadableAnswers", testReadable},
		{"H3_Settings", testSettings},
		{"H4_Origins", testOrigins},
		{"H5_Accepted", testAccepted},
		{"H6_DurableBeforeAnswered", testDurable},
		{"H7_BadRequests", testBadRequests},
		{"H9_LongInput", testLongInput},
		{"H10_Tokens", testTokens},
		{"H10_BoundToUser", testBound},
		{"BlockedContact", testBlockedContact},
		{"H10_OddMetadata", testOddMetadata},
		{"H10_OddTokens", testOddTokens},
		{"H11_OwnIDs", testOwnIDs},
		{"H12_Busy", testBusy},
		{"H13_Stream", testStream},
		{"H15_NobodyReads", testNobodyReads},
		{"H16_Resume", testResume},
		{"H17_FinishedMeanwhile", testFinishedMeanwhile},
		{"H18_TwoReaders", testTwoReaders},
		{"H19_NextTurn", testNextTurn},
		{"H20_Failure", testFailure},
		{"H21_Markers", testMarkers},
		{"H22_LongReply", testLongReply},
		{"H23_NothingToDeliver", testNothing},
		{"H24_Cancel", testCancel},
		{"H26_Close", testClose},
		{"H29_Reopened", testReopened},
		{"H34_HumanHasIt", testHumanHasIt},
		{"H34_Acknowledged", testAcknowledged},
		{"H36_Letters", testLetters},
		{"H36_LettersOfAShutChat", testShut},
		{"H37_Closed", testClosedUpdates},
		{"H38_TakenOver", testTakenOver},
		{"H39_OtherProject", testOtherProject},
		{"Greeting", testGreeting},
		{"Quotations", testQuotations},
		{"Access", testAccess},
		{"Paths", testPaths},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s.of()) })
	}
}

// suite is the host under test.
type suite struct {
	Host
	keys *token.Keyring
	// own are the projects of the test that runs.
	own parleytest.Own
}

// of returns the suite for one test.
func (s *suite) of() *suite {
	one := *s
	one.own = parleytest.Own{}
	return &one
}

// standing returns the items of the test's projects, as far as nothing changes
// them that nobody asks for.
func (s *suite) standing(t testing.TB) map[table.Key]table.Item {
	t.Helper()
	return s.own.Standing(s.Dump(t))
}
