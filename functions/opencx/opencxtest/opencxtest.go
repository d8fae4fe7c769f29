// Package opencxtest is a test kit: the suite of the function opencx, for any host
// of it. It speaks HTTP as OpenCX's widget does. Its tests are the assertions of the
// protocol's checklist, O1 to O45, by number.
package opencxtest

import (
	"testing"

	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/token"
)

// Host is a running function, and what a test of it needs besides HTTP.
type Host struct {
	// URL is the base of the function: what pages set as apiUrl.
	URL string
	// Store is another store over the function's table and bucket, Master the
	// secret of both, Model who answers.
	Store  *parley.Store
	Master string
	Model  *apitest.ModelServer
	// Dump returns all items of the table.
	Dump func(t testing.TB) map[table.Key]table.Item
	// HTTPAPI says that the function stands behind an HTTP API of API Gateway,
	// which knows its paths only and answers others itself.
	HTTPAPI bool
}

// Secret is the secret of an action that hosts of the test keep under a name.
func Secret(name string) string { return "secret " + name }

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
		{"Transport", testTransport},
		{"Config", testConfig},
		{"Contacts", testContacts},
		{"Verified", testVerified},
		{"BlockedContact", testBlockedContact},
		{"StrangersWords", testStrangersWords},
		{"Sessions", testSessions},
		{"Paging", testPaging},
		{"Messages", testMessages},
		{"Greeting", testGreeting},
		{"OneID", testOneID},
		{"Unanswered", testUnanswered},
		{"PartsOfReplies", testPartsOfReplies},
		{"ClientLeaves", testClientLeaves},
		{"Refusals", testRefusals},
		{"RefusedSessions", testRefusedSessions},
		{"Humans", testHumans},
		{"Markup", testMarkup},
		{"Checkpoints", testCheckpoints},
		{"Modes", testModes},
		{"Actions", testActions},
		{"Overrides", testOverrides},
		{"Forms", testForms},
		{"CSAT", testCSAT},
		{"WaysOn", testWaysOn},
		{"Uploads", testUploads},
		{"Votes", testVotes},
		{"LongHistory", testLongHistory},
		{"OlderClients", testOlderClients},
		{"OlderAPI", testOlderAPI},
		{"Access", testAccess},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s.of()) })
	}
}

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
