package dynamo_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/shared/table"
	"parley/shared/table/dynamo"
)

// TestForeignItemsAreNotSkipped: an item that holds what Parley never writes is
// an error of the read, not an item that seems not to be there.
func TestForeignItemsAreNotSkipped(t *testing.T) {
	const foreign = `{"pk":{"S":"p"},"sk":{"S":"a"},"list":{"SS":["x"]}}`
	ctx := context.Background()
	tbl, _ := newWire(t, answer{200, `{"Responses":{"parley":[` + foreign + `]}}`})
	if items, err := tbl.Get(ctx, true, item("a").Key(), item("b").Key()); err == nil {
		t.Errorf("Get of two = %v", items)
	}
	tbl, _ = newWire(t, answer{200, `{"Item":` + foreign + `}`})
	if items, err := tbl.Get(ctx, true, item("a").Key()); err == nil {
		t.Errorf("Get of one = %v", items)
	}
	tbl, _ = newWire(t, answer{200, `{"Items":[` + foreign + `],"Count":1}`})
	if page, err := tbl.Query(ctx, table.Query{Partition: "p", Limit: 10}); err == nil {
		t.Errorf("Query = %v", page)
	}
	tbl, _ = newWire(t, answer{200, `{"Items":[],"Count":0,"LastEvaluatedKey":{"pk":{"S":"p"},"sk":{"SS":["x"]}}}`})
	if page, err := tbl.Query(ctx, table.Query{Partition: "p", Limit: 10}); err == nil {
		t.Errorf("Query that ends at a foreign key = %v", page)
	}
	const by = `{"__type":"com.amazonaws.dynamodb.v20120810#`
	write := []table.Action{table.Put(item("a"), table.Absent()), table.Put(item("b"))}
	for n, refused := range []answer{{400, by + `ConditionalCheckFailedException","Item":` + foreign + `}`},
		{400, by + `TransactionCanceledException","CancellationReasons":[{"Code":"ConditionalCheckFailed","Item":` + foreign + `},{"Code":"None"}]}`}} {
		tbl, _ = newWire(t, refused)
		if err := tbl.Write(ctx, write[:n+1]...); err == nil || errors.As(err, new(*table.Refused)) || !strings.Contains(err.Error(), "attribute list") {
			t.Errorf("a refusal of %d actions by a foreign item = %v", n+1, err)
		}
	}
}

// TestGetGivesUpWithItsContext: who asks again for keys that were left
// unprocessed waits no longer than its caller.
func TestGetGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		tbl := newInProcess(func() {
			asked++
			time.AfterFunc(time.Millisecond, cancel)
		})
		began := time.Now()
		_, err := tbl.Get(ctx, true, item("a").Key(), item("b").Key())
		if took := time.Since(began); !errors.Is(err, context.Canceled) || asked != 1 || took != time.Millisecond {
			t.Errorf("Get = %v after %d requests and %v, want %v after 1 and 1ms", err, asked, took, context.Canceled)
		}
	})
}

// TestGetPauses: keys that were left unprocessed are asked for four times more, each time
// after a pause of about twice the one before.
func TestGetPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		tbl := newInProcess(func() { asked = append(asked, time.Now()) })
		if _, err := tbl.Get(t.Context(), true, item("a").Key(), item("b").Key()); !errors.Is(err, table.ErrUnavailable) || len(asked) != 5 {
			t.Fatalf("Get = %v after %d requests, want %v after 5", err, len(asked), table.ErrUnavailable)
		}
		longest := 25 * time.Millisecond
		for n := range asked[1:] {
			if pause := asked[n+1].Sub(asked[n]); pause < longest/2 || pause >= longest {
				t.Errorf("pause %d is %v, want %v less up to a half", n+1, pause, longest)
			}
			longest *= 2
		}
	})
}

// newInProcess is a table whose requests are all answered with a key that was left
// unprocessed.
func newInProcess(asked func()) *dynamo.Table {
	client := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://dynamodb.test"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		HTTPClient: inProcess(func(w http.ResponseWriter, _ *http.Request) {
			asked()
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.Write([]byte(`{"UnprocessedKeys":{"parley":{"Keys":[{"pk":{"S":"p"},"sk":{"S":"a"}}]}}}`))
		})})
	return dynamo.New(dynamo.Config{Client: client, Name: "parley"})
}

// inProcess answers requests without a network, so that virtual time goes on.
type inProcess http.HandlerFunc

// Do implements dynamodb.HTTPClient.
func (h inProcess) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h(w, r)
	return w.Result(), nil
}
