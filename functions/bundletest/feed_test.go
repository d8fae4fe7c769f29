package bundletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"parley/shared/awstest"
	"parley/shared/lambdatest"
)

// object is a JSON object.
type object = map[string]any

// testFeed: the feed takes what the table's stream has of two conversations,
// one of them erased, through the template's filter.
func testFeed(t *testing.T, s *stack) {
	v := s.visitor(t)
	_, kept := v.send(object{"messageId": "m1", "content": "Hello"}).rest()
	v.send(object{"messageId": "m2", "content": "And?", "sessionId": kept.Session.ID}).rest()
	_, erased := v.send(object{"messageId": "m3", "content": "Forget this"}).rest()
	v.do(http.MethodDelete, v.urls.History+"/history/"+erased.Session.ID, nil)

	all := s.streamRecords(t)
	records := s.filtered(t, all)
	if len(records) < 5 || len(records) == len(all) {
		t.Fatalf("%d of %d records pass the filter", len(records), len(all))
	}
	s.feeds(t, records, map[string]float64{"opened": 1, "erased": 1})
	s.feeds(t, records[1:2], map[string]float64{"changed": 1})
	testFeedSpoilt(t, s, records[0])
}

// testFeedSpoilt: what would fail for ever holds nothing up, and what could not
// be understood fails, so that the batch is split and the record set aside.
func testFeedSpoilt(t *testing.T, s *stack, good object) {
	t.Helper()
	spoilt := func(field string, value any) object {
		return object{"dynamodb": object{"SequenceNumber": "1", "NewImage": object{"pk": object{"S": "p"}, "sk": object{"S": "entry~"}, field: value}}}
	}
	s.feeds(t, []object{spoilt("seq", object{"N": "1"}), good}, map[string]float64{"opened": 1})
	event, err := json.Marshal(object{"Records": []object{good, spoilt("tags", object{"SS": []string{"a"}})}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.functions["feed"].Invoke(t.Context(), event)
	var failed *lambdatest.Error
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "attribute tags") {
		t.Errorf("beside an unknown type: %s, %v", out, err)
	}
}

// feeds hands records to the function, which must take them all and count
// these changes.
func (s *stack) feeds(t *testing.T, records []object, want map[string]float64) {
	t.Helper()
	event, err := json.Marshal(object{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	f := s.functions["feed"]
	before := len(f.Log())
	out, err := f.Invoke(t.Context(), event)
	if err != nil || string(out) != `{"batchItemFailures":[]}` {
		t.Fatalf("feed = %s, %v", out, err)
	}
	// What a process writes arrives by another way than what it answers.
	await(t, patience, 10*time.Millisecond, fmt.Sprintf("count of %v", want), func() bool {
		return maps.Equal(changesIn(t, f.Log()[before:]), want)
	})
}

// changesIn reads the metrics that the feed wrote.
func changesIn(t *testing.T, log string) map[string]float64 {
	t.Helper()
	changes := map[string]float64{}
	for line := range strings.Lines(log) {
		var metric struct {
			Kind           string
			SessionChanges float64
		}
		if err := json.Unmarshal([]byte(line), &metric); err != nil && strings.HasSuffix(line, "\n") {
			t.Fatalf("log line %q: %v", line, err)
		}
		if metric.Kind != "" {
			changes[metric.Kind] += metric.SessionChanges
		}
	}
	return changes
}

// streamRecords returns the table's stream so far as Lambda delivers it
// (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-example.html).
func (s *stack) streamRecords(t *testing.T) []object {
	t.Helper()
	var records []object
	for r := s.stream(t); ; {
		page := r.next(t)
		if len(page) == 0 {
			return records
		}
		records = append(records, page...)
	}
}

// tableStream reads a table's stream. DynamoDB Local has one shard until it is four hours old.
type tableStream struct {
	client     *dynamodbstreams.Client
	arn, shard *string
	at         *string // an iterator
	last       *string // the sequence number of the newest record that was read
}

func (s *stack) stream(t *testing.T) *tableStream {
	t.Helper()
	client := awstest.DynamoDB(t)
	described, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(s.table.Name())})
	if err != nil {
		t.Fatal(err)
	}
	o := client.Options()
	r := &tableStream{arn: described.Table.LatestStreamArn, client: dynamodbstreams.New(dynamodbstreams.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, Credentials: o.Credentials})}
	stream, err := r.client.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: described.Table.LatestStreamArn})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(stream.StreamDescription.Shards); n != 1 {
		t.Fatalf("the stream has %d shards", n)
	}
	r.shard = stream.StreamDescription.Shards[0].ShardId
	r.seek(t)
	return r
}

// seek takes an iterator for what comes after the last record.
func (r *tableStream) seek(t *testing.T) {
	t.Helper()
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: r.arn, ShardId: r.shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	if r.last != nil {
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, r.last
	}
	from, err := r.client.GetShardIterator(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	r.at = from.ShardIterator
}

// next returns the next records, none if there are no more for now.
func (r *tableStream) next(t *testing.T) []object {
	t.Helper()
	page, err := r.client.GetRecords(context.Background(), &dynamodbstreams.GetRecordsInput{ShardIterator: r.at})
	if trimmed := new(types.TrimmedDataAccessException); errors.As(err, &trimmed) {
		// DynamoDB Local says so now and then under load of an iterator that it gave just
		// before, though nothing is a day old. A record that was lost is missed by tests.
		r.seek(t)
		page, err = r.client.GetRecords(context.Background(), &dynamodbstreams.GetRecordsInput{ShardIterator: r.at})
	}
	if err != nil {
		t.Fatal(err)
	}
	var records []object
	for _, record := range page.Records {
		records = append(records, recordOf(t, record))
		r.last = record.Dynamodb.SequenceNumber
	}
	if r.at = page.NextShardIterator; r.at == nil {
		t.Fatal("the shard has ended")
	}
	return records
}

// follow hands the stream to the function feed, as Lambda does, until the test ends.
func (s *stack) follow(t *testing.T) {
	t.Helper()
	r := s.stream(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for batch := range slices.Chunk(s.filtered(t, r.next(t)), 10) {
				event, err := json.Marshal(object{"Records": batch})
				if err == nil {
					var out []byte
					if out, err = s.functions["feed"].Invoke(context.Background(), event); err == nil && string(out) != `{"batchItemFailures":[]}` {
						err = errors.New(string(out))
					}
				}
				if err != nil {
					t.Errorf("feed: %v", err)
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond): // Lambda asks four times a second
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

func recordOf(t *testing.T, r types.Record) object {
	t.Helper()
	d := r.Dynamodb
	change := object{"SequenceNumber": *d.SequenceNumber, "StreamViewType": d.StreamViewType, "SizeBytes": d.SizeBytes,
		"ApproximateCreationDateTime": d.ApproximateCreationDateTime.Unix(), "Keys": imageOf(t, d.Keys)}
	for name, image := range map[string]map[string]types.AttributeValue{"OldImage": d.OldImage, "NewImage": d.NewImage} {
		if len(image) > 0 {
			change[name] = imageOf(t, image)
		}
	}
	return object{"eventID": *r.EventID, "eventName": r.EventName, "eventVersion": "1.1", "eventSource": "aws:dynamodb", "dynamodb": change}
}

func imageOf(t *testing.T, item map[string]types.AttributeValue) object {
	t.Helper()
	image := object{}
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			image[name] = object{"S": v.Value}
		case *types.AttributeValueMemberN:
			image[name] = object{"N": v.Value}
		case *types.AttributeValueMemberBOOL:
			image[name] = object{"BOOL": v.Value}
		default:
			t.Fatalf("attribute %s is a %T", name, v)
		}
	}
	return image
}

// filtered returns the records that the template's filter lets pass.
func (s *stack) filtered(t *testing.T, records []object) []object {
	t.Helper()
	filters := at(s.template.property("feed", "Events", "Sessions"), "Properties", "FilterCriteria", "Filters")
	if filters == nil || len(filters.Content) != 1 {
		t.Fatal("the feed has not one filter")
	}
	var pattern any
	if err := json.Unmarshal([]byte(at(filters.Content[0], "Pattern").Value), &pattern); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(slices.Clone(records), func(r object) bool { return !passes(pattern, r) })
}

// passes reports whether a record fits a pattern: a list has the values allowed
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html).
func passes(pattern, v any) bool {
	if allowed, ok := pattern.([]any); ok {
		return slices.Contains(allowed, v)
	}
	o, ok := v.(object)
	for key, p := range pattern.(object) {
		ok = ok && passes(p, o[key])
	}
	return ok
}
