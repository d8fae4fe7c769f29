// Package apitest is a test kit: the suite of the native API, for any host of its
// functions. It speaks HTTP, and holds every answer against the OpenAPI document.
// The functions close, csat, history, identify, operator and uploads are tested
// here and have no tests of their own.
package apitest

import (
	"testing"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/token"
)

// Host is a running bundle of functions, and what a test of it needs besides
// HTTP. The functions' agent is "openai" at Model; nothing else calls that.
type Host struct {
	// URLs are the bases of the functions.
	URLs api.URLs
	// Operator is the base of the operator API, and OperatorOrigin the origin that
	// its function knows as its own.
	Operator, OperatorOrigin string
	// Store is another store over the functions' table and bucket, and Master the
	// secret of them all.
	Store  *parley.Store
	Master string
	Model  *ModelServer
	// Dump returns all items of the table.
	Dump func(t testing.TB) map[table.Key]table.Item
	// Hold is how long the functions hold an updates request.
	Hold time.Duration
	// HTTPAPI says that the functions stand behind an HTTP API of API Gateway. It
	// answers only whole, so that no event is seen before the last; it knows the
	// paths of the calls and answers others itself; and it decodes them, so that
	// no id in a path may have a slash.
	HTTPAPI bool
}

// Run tests the host. Its tests leave projects of their own behind.
func Run(t *testing.T, host Host) {
	s := &suite{Host: host, contract: newContract(t)}
	s.keys = s.keysAt(t, host.Master, 0)
	type test struct {
		name string
		run  func(*testing.T, *suite)
	}
	tests := []test{
		{"Config", testConfig},
		{"OpenAPI", testOpenAPI},
		{"HTTP", testHTTP},
		{"Origins", testOrigins},
		{"Identify", testIdentify},
		{"IdentifyContact", testIdentifyContact},
		{"CallsLimit", testCallsLimit},
		{"Challenge", testChallenge},
		{"Claim", testClaim},
		{"Send", testSend},
		{"SendWhole", testSendWhole},
		{"Replay", testReplay},
		{"Resume", testResume},
		{"Queue", testQueue},
		{"Refuse", testRefuse},
		{"Supersede", testSupersede},
		{"Cancel", testCancel},
		{"CancelOne", testCancelOne},
		{"Retry", testRetry},
		{"Votes", testVotes},
		{"Forms", testForms},
		{"Control", testControl},
		{"Greeting", testGreeting},
		{"TakeOver", testTakeOver},
		{"Limits", testLimits},
		{"Updates", testUpdates},
		{"Typing", testTyping},
		{"Tickets", testTickets},
		{"Close", testClose},
		{"History", testHistory},
		{"Erase", testErase},
		{"CSAT", testCSAT},
		{"Uploads", testUploads},
		{"Access", testAccess},
		{"Link", testLink},
		{"Validation", testValidation},
		{"OperatorSessions", testOperatorSessions},
		{"OperatorStates", testOperatorStates},
		{"OperatorBlocks", testOperatorBlocks},
		{"OperatorErases", testOperatorErases},
		{"C57BareVisitor", testBareVisitor},
		{"OperatorWatches", testOperatorWatches},
		{"OperatorUploads", testOperatorUploads},
		{"OperatorFigures", testOperatorFigures},
		{"OperatorProject", testOperatorProject},
		{"OperatorKeys", testOperatorKeys},
		{"OperatorScopes", testOperatorScopes},
		{"OperatorHooks", testOperatorHooks},
		{"OperatorOrigins", testOperatorOrigins},
		{"OperatorAccess", testOperatorAccess},
		{"OperatorValidation", testOperatorValidation},
	}
	if !host.HTTPAPI {
		tests = append(tests, test{"ReaderLeaves", testReaderLeaves}, test{"NoPaths", testNoPaths})
	}
	if host.Hold > 0 && !host.HTTPAPI {
		tests = append(tests, test{"UpdatesHeld", testUpdatesHeld})
	}
	for _, test := range tests {
		ok := t.Run(test.name, func(t *testing.T) { test.run(t, s.of()) })
		s.failed = s.failed || !ok
	}
	t.Run("Everything", func(t *testing.T) {
		if s.failed {
			t.Skip("a test before failed")
		}
		s.contract.complete(t)
	})
}

// suite is the host under test.
type suite struct {
	Host
	contract *contract
	// keys are the functions' own.
	keys   *token.Keyring
	failed bool
	// own are the projects of the test that runs.
	own parleytest.Own
}

// keysAt returns the keyring of a secret, as it was a while ago.
func (s *suite) keysAt(t testing.TB, master string, ago time.Duration) *token.Keyring {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(master)}, Now: func() time.Time { return time.Now().Add(-ago) }})
	if err != nil {
		t.Fatal(err)
	}
	return keys
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
