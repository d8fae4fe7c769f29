package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/shared/table"
	"parley/shared/table/dynamo"
)

// A wire is a server that speaks DynamoDB's protocol and answers as it was
// told: for what DynamoDB Local never says.
type wire struct {
	mu       sync.Mutex
	answers  []answer
	requests []request
}

// An answer is a status and a body. Status 0 closes the connection unanswered.
type answer struct {
	status int
	body   string
}

type request struct {
	operation string
	body      map[string]any
}

func (s *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	got := request{operation: operation}
	if err := json.Unmarshal(body, &got.body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.requests = append(s.requests, got)
	next := s.answers[min(len(s.requests), len(s.answers))-1]
	if next.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(next.status)
	io.WriteString(w, next.body)
}

// seen returns the requests so far.
func (s *wire) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// newWire returns a table whose requests get these answers in turn, and the
// last one again when they are used up. The client tries three times, at once.
func newWire(t testing.TB, answers ...answer) (*dynamo.Table, *wire) {
	t.Helper()
	s := &wire{answers: answers}
	return newTable(t, s), s
}

func newTable(t testing.TB, h http.Handler) *dynamo.Table {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	client := dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		HTTPClient:   server.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 3
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
	return dynamo.New(dynamo.Config{Client: client, Name: "parley"})
}

func fail(status int, code string) answer {
	return answer{status, `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"told to"}`}
}

// cancelled is a transaction cancelled for these reasons; a refused action has
// an item with its number.
func cancelled(reasons ...string) answer {
	for n, code := range reasons {
		item := ""
		if code == "ConditionalCheckFailed" {
			item = `,"Item":{"pk":{"S":"p"},"sk":{"S":"` + string(rune('a'+n)) + `"}}`
		}
		reasons[n] = `{"Code":"` + code + `"` + item + `}`
	}
	return answer{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
		`"CancellationReasons":[` + strings.Join(reasons, ",") + `]}`}
}

var (
	done     = answer{200, `{}`}
	refused  = answer{400, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"pk":{"S":"p"},"sk":{"S":"a"}}}`}
	hangUp   = answer{}
	broken   = fail(500, "InternalServerError")
	throttle = fail(400, "ProvisionedThroughputExceededException")
)

func item(sk string) table.Item { return table.Item{table.PK: "p", table.SK: sk} }

func TestWriteOutcomes(t *testing.T) {
	one := []table.Action{table.Put(item("a"))}
	two := []table.Action{table.Put(item("a")), table.Put(item("b"))}
	check := []table.Action{table.Check(item("a").Key(), table.Exists())}
	for _, test := range []struct {
		name    string
		actions []table.Action
		answers []answer
		want    error // one of package table; nil is done
	}{
		{"done", one, []answer{done}, nil},
		{"done at the second attempt", one, []answer{hangUp, done}, nil},
		{"throttled", one, []answer{throttle}, table.ErrNotDone},
		{"throttled by account", two, []answer{fail(400, "RequestLimitExceeded")}, table.ErrNotDone},
		{"throttled by rate", one, []answer{fail(400, "ThrottlingException")}, table.ErrNotDone},
		{"conflict", one, []answer{fail(400, "TransactionConflictException")}, table.ErrNotDone},
		{"conflict in a transaction", two, []answer{cancelled("None", "TransactionConflict")}, table.ErrNotDone},
		{"throttle in a transaction", two, []answer{cancelled("ThrottlingError", "None")}, table.ErrNotDone},
		{"capacity in a transaction", two, []answer{cancelled("None", "ProvisionedThroughputExceeded")}, table.ErrNotDone},
		{"refusal and conflict", two, []answer{cancelled("ConditionalCheckFailed", "TransactionConflict")}, table.ErrNotDone},
		{"refusal and throttle", two, []answer{cancelled("ThrottlingError", "ConditionalCheckFailed")}, table.ErrNotDone},
		{"connection lost", one, []answer{hangUp}, table.ErrUnknown},
		{"server error", two, []answer{broken}, table.ErrUnknown},
		{"unavailable", one, []answer{fail(503, "ServiceUnavailable")}, table.ErrUnknown},
		{"torn answer", one, []answer{{200, `{"Attr`}}, table.ErrUnknown},
		{"own attempt in progress", two, []answer{fail(400, "TransactionInProgressException")}, table.ErrUnknown},
		{"lost, then throttled", one, []answer{hangUp, throttle}, table.ErrUnknown},
		{"server error, then conflict", two, []answer{broken, cancelled("TransactionConflict", "None")}, table.ErrUnknown},
		{"throttled, then lost", one, []answer{throttle, hangUp}, table.ErrUnknown},
		{"check in conflict", check, []answer{cancelled("TransactionConflict")}, table.ErrNotDone},
	} {
		t.Run(test.name, func(t *testing.T) {
			tbl, _ := newWire(t, test.answers...)
			err := tbl.Write(t.Context(), test.actions...)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("Write = %v, want %v", err, test.want)
			}
			for _, other := range []error{table.ErrNotDone, table.ErrUnknown} {
				if other != test.want && errors.Is(err, other) {
					t.Errorf("Write = %v, which is also %v", err, other)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	two := []table.Action{table.Put(item("a")), table.Put(item("b"))}
	for _, test := range []struct {
		name    string
		actions []table.Action
		answers []answer
		want    []int
	}{
		{"one action", two[:1], []answer{refused}, []int{0}},
		{"one action, perhaps by itself", two[:1], []answer{hangUp, refused}, []int{0}},
		{"first", two, []answer{cancelled("ConditionalCheckFailed", "None")}, []int{0}},
		{"both", two, []answer{cancelled("ConditionalCheckFailed", "ConditionalCheckFailed")}, []int{0, 1}},
		{"beside a misfit", two, []answer{cancelled("ValidationError", "ConditionalCheckFailed")}, []int{1}},
		{"check", []table.Action{table.Check(item("a").Key(), table.Absent())}, []answer{cancelled("ConditionalCheckFailed")}, []int{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tbl, _ := newWire(t, test.answers...)
			err := tbl.Write(t.Context(), test.actions...)
			refused, ok := errors.AsType[*table.Refused](err)
			if !ok || len(refused.Refusals) != len(test.want) {
				t.Fatalf("Write = %v, want %d refusals", err, len(test.want))
			}
			for n, r := range refused.Refusals {
				if r.Action != test.want[n] || !r.Item.Equal(item(string(rune('a'+test.want[n])))) {
					t.Errorf("refusal %d is %v, want action %d and its item", n, r, test.want[n])
				}
			}
		})
	}
}

func TestOtherWriteErrorsAreOfNoKind(t *testing.T) {
	two := []table.Action{table.Put(item("a")), table.Put(item("b"))}
	for name, a := range map[string]answer{
		"table missing": fail(400, "ResourceNotFoundException"),
		"not allowed":   fail(400, "AccessDeniedException"),
		"misfit":        cancelled("None", "ValidationError"),
		"foreign item":  {400, `{"__type":"x#TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"pk":{"L":[]}}}]}`},
	} {
		tbl, _ := newWire(t, a)
		err := tbl.Write(t.Context(), two...)
		_, isRefused := errors.AsType[*table.Refused](err)
		if err == nil || isRefused || errors.Is(err, table.ErrNotDone) || errors.Is(err, table.ErrUnknown) {
			t.Errorf("%s: Write = %v, want an error of no kind", name, err)
		}
	}
}

func TestContextThatEndsDuringAWrite(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tbl := newTable(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// The server notices that the client has gone only once it has read the request.
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	if err := tbl.Write(ctx, table.Put(item("a"))); !errors.Is(err, table.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v, want %v and %v", err, table.ErrUnknown, context.Canceled)
	}
}

func TestTransactionTokens(t *testing.T) {
	tbl, s := newWire(t, hangUp, broken, done)
	two := []table.Action{table.Put(item("a")), table.Put(item("b"))}
	for range 2 {
		if err := tbl.Write(t.Context(), two...); err != nil {
			t.Fatal(err)
		}
	}
	var tokens []string
	for _, r := range s.seen() {
		token, _ := r.body["ClientRequestToken"].(string)
		tokens = append(tokens, token)
	}
	if len(tokens) != 4 || tokens[0] == "" || tokens[0] != tokens[1] || tokens[1] != tokens[2] || tokens[2] == tokens[3] {
		t.Errorf("tokens %q, want one for three attempts and another for the next call", tokens)
	}
}

func TestEveryConditionalActionAsksForTheStandingItem(t *testing.T) {
	k := item("a").Key()
	update := table.Update(k, table.Exists())
	update.Set = table.Item{"a": "x"}
	actions := []table.Action{table.Put(item("a"), table.Absent()), update, table.Delete(k, table.Exists()), table.Check(k, table.Exists())}
	for n, a := range actions {
		tbl, s := newWire(t, done)
		b := table.Delete(item("b").Key())
		if err := errors.Join(tbl.Write(t.Context(), a), tbl.Write(t.Context(), a, b)); err != nil {
			t.Fatal(err)
		}
		for _, r := range s.seen() {
			body, _ := json.Marshal(r.body)
			transact, _ := r.body["TransactItems"].([]any)
			want := max(1, len(transact))
			if got := strings.Count(string(body), `"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`); got != want {
				t.Errorf("action %d: %s asks for %d standing items, want %d", n, r.operation, got, want)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	reads := map[string]func(*dynamo.Table) error{
		"get": func(tbl *dynamo.Table) error {
			_, err := tbl.Get(t.Context(), true, item("a").Key())
			return err
		},
		"get many": func(tbl *dynamo.Table) error {
			_, err := tbl.Get(t.Context(), true, item("a").Key(), item("b").Key())
			return err
		},
		"query": func(tbl *dynamo.Table) error {
			_, err := tbl.Query(t.Context(), table.Query{Partition: "p", Limit: 1})
			return err
		},
	}
	for name, read := range reads {
		for _, a := range []answer{throttle, broken, hangUp, {200, `{"Item`}} {
			tbl, s := newWire(t, a)
			if err := read(tbl); !errors.Is(err, table.ErrUnavailable) {
				t.Errorf("%s answered %+v = %v, want %v", name, a, err, table.ErrUnavailable)
			}
			if len(s.seen()) == 0 {
				t.Errorf("%s sent nothing", name)
			}
		}
		tbl, _ := newWire(t, fail(400, "ResourceNotFoundException"))
		if err := read(tbl); err == nil || errors.Is(err, table.ErrUnavailable) {
			t.Errorf("%s of a missing table = %v, want an error of no kind", name, err)
		}
	}
}

func TestForeignAttributes(t *testing.T) {
	for name, value := range map[string]string{
		"list": `{"L":[]}`, "null": `{"NULL":true}`, "binary": `{"B":"AA=="}`, "fraction": `{"N":"1.5"}`, "past an int64": `{"N":"9223372036854775808"}`,
	} {
		tbl, _ := newWire(t, answer{200, `{"Item":{"pk":{"S":"p"},"sk":{"S":"a"},"odd":` + value + `}}`})
		if items, err := tbl.Get(t.Context(), true, item("a").Key()); err == nil || !strings.Contains(err.Error(), "odd") {
			t.Errorf("%s: Get = %v, %v, want an error that names the attribute", name, items, err)
		}
	}
}

func TestGetAsksAgainForUnprocessedKeys(t *testing.T) {
	half := answer{200, `{"Responses":{"parley":[{"pk":{"S":"p"},"sk":{"S":"b"}}]},
		"UnprocessedKeys":{"parley":{"Keys":[{"pk":{"S":"p"},"sk":{"S":"a"}}],"ConsistentRead":true}}}`}
	rest := answer{200, `{"Responses":{"parley":[{"pk":{"S":"p"},"sk":{"S":"a"}}]}}`}
	tbl, s := newWire(t, half, rest)
	items, err := tbl.Get(t.Context(), true, item("a").Key(), item("b").Key(), item("c").Key())
	if err != nil || len(items) != 3 || !items[0].Equal(item("a")) || !items[1].Equal(item("b")) || items[2] != nil {
		t.Errorf("Get = %v, %v, want a, b and none", items, err)
	}
	second, _ := json.Marshal(s.seen()[1].body["RequestItems"])
	if want := `{"parley":{"ConsistentRead":true,"Keys":[{"pk":{"S":"p"},"sk":{"S":"a"}}]}}`; string(second) != want {
		t.Errorf("second request asks for %s, want %s", second, want)
	}

	tbl, s = newWire(t, half)
	if _, err := tbl.Get(t.Context(), true, item("a").Key(), item("b").Key()); !errors.Is(err, table.ErrUnavailable) || len(s.seen()) != 5 {
		t.Errorf("Get = %v after %d requests, want %v after 5", err, len(s.seen()), table.ErrUnavailable)
	}
}
