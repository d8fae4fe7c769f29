package meter_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"parley/shared/awstest"
	"parley/shared/table"
	"parley/shared/table/dynamo"
	"parley/shared/table/meter"
)

// A bill adds up what DynamoDB Local says that requests consumed.
type bill struct {
	writes meter.Units
	reads  float64
}

func (b *bill) addWrite(c *types.ConsumedCapacity) {
	if c == nil {
		return
	}
	b.writes.Actions++
	b.writes.Table += int(*c.Table.CapacityUnits)
	for _, x := range c.GlobalSecondaryIndexes {
		b.writes.Index += int(*x.CapacityUnits)
	}
}

func (b *bill) addRead(c *types.ConsumedCapacity) {
	if c != nil {
		b.reads += *c.CapacityUnits
	}
}

// ask makes every request ask what it consumed, and adds up the answers.
func (b *bill) ask(stack *middleware.Stack) error {
	const each = types.ReturnConsumedCapacityIndexes
	ask := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		switch p := in.Parameters.(type) {
		case *dynamodb.PutItemInput:
			p.ReturnConsumedCapacity = each
		case *dynamodb.UpdateItemInput:
			p.ReturnConsumedCapacity = each
		case *dynamodb.DeleteItemInput:
			p.ReturnConsumedCapacity = each
		case *dynamodb.GetItemInput:
			p.ReturnConsumedCapacity = each
		case *dynamodb.BatchGetItemInput:
			p.ReturnConsumedCapacity = each
		case *dynamodb.QueryInput:
			p.ReturnConsumedCapacity = each
		}
		out, metadata, err := next.HandleInitialize(ctx, in)
		switch r := out.Result.(type) {
		case *dynamodb.PutItemOutput:
			b.addWrite(r.ConsumedCapacity)
		case *dynamodb.UpdateItemOutput:
			b.addWrite(r.ConsumedCapacity)
		case *dynamodb.DeleteItemOutput:
			b.addWrite(r.ConsumedCapacity)
		case *dynamodb.GetItemOutput:
			b.addRead(r.ConsumedCapacity)
		case *dynamodb.BatchGetItemOutput:
			for _, c := range r.ConsumedCapacity {
				b.addRead(&c)
			}
		case *dynamodb.QueryOutput:
			b.addRead(r.ConsumedCapacity)
		}
		return out, metadata, err
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("AskCapacity", ask), middleware.After)
}

// newBilled returns a table in DynamoDB Local and its bill.
func newBilled(t *testing.T) (*dynamo.Table, *bill) {
	t.Helper()
	b := &bill{}
	client := dynamodb.New(awstest.DynamoDB(t).Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, b.ask)
	})
	return dynamo.New(dynamo.Config{Client: client, Name: awstest.Table(t).Name()}), b
}

// TestLocalCountsAlike compares the meter with DynamoDB Local where that counts
// as AWS does: writes of one action, and reads that find something.
func TestLocalCountsAlike(t *testing.T) {
	tbl, bill := newBilled(t)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := meter.New(meter.Config{Table: tbl})
		action := randomAction(dice)
		*bill = zero
		if err := m.Write(t.Context(), action); err != nil {
			t.Fatal(err)
		}
		if got := m.Counts().Writes[""]; got != bill.writes {
			t.Fatalf("meter counts %+v for %+v, DynamoDB Local %+v", got, action, bill.writes)
		}
	}
	for n, read := range []func(table.Table) (int, error){
		get(true, "0"), get(false, "1"), get(true, "0", "1", "2", "3"), get(false, "0", "1", "2", "3"),
		query(table.Query{Partition: "p", Consistent: true}), query(table.Query{Partition: "p"}),
		query(table.Query{Index: table.Owner, Partition: "o"}), query(table.Query{Partition: "p", Descending: true, Limit: 2}),
	} {
		m := meter.New(meter.Config{Table: tbl})
		*bill = zero
		if found, err := read(m); err != nil || found == 0 {
			t.Fatalf("read %d finds %d items, %v", n, found, err)
		}
		if got := m.Counts().ReadUnits(); got != bill.reads {
			t.Errorf("meter counts %v for read %d, DynamoDB Local %v", got, n, bill.reads)
		}
	}
}

// zero is a bill before anything is on it.
var zero bill

// randomAction is an action on one of a few items, of up to 6 KB, that comes
// into the indexes, leaves them or moves there.
func randomAction(dice *rand.Rand) table.Action {
	item := table.Item{table.PK: "p", table.SK: fmt.Sprint(dice.IntN(6)), "text": strings.Repeat("x", dice.IntN(6000)), "n": dice.Int64()}
	if dice.IntN(3) > 0 {
		item["op"], item["os"] = "o", fmt.Sprint(dice.IntN(3))
	}
	if dice.IntN(3) > 0 {
		item["wp"], item["ws"] = "w", fmt.Sprint(dice.IntN(2))
	}
	switch dice.IntN(5) {
	case 0:
		return table.Delete(item.Key())
	case 1, 2:
		return table.Put(item)
	}
	a := table.Update(item.Key())
	if dice.IntN(2) == 0 {
		a.Add = map[string]int64{"count": 1}
	} else {
		a.Set = item.Clone()
		delete(a.Set, table.PK)
		delete(a.Set, table.SK)
	}
	for _, name := range []string{"op", "ws"} {
		if _, set := a.Set[name]; !set && dice.IntN(3) == 0 {
			a.Remove = append(a.Remove, name)
		}
	}
	return a
}

func get(consistent bool, sks ...string) func(table.Table) (int, error) {
	keys := make([]table.Key, len(sks))
	for n, sk := range sks {
		keys[n] = table.Key{PK: "p", SK: sk}
	}
	return func(tbl table.Table) (int, error) {
		items, err := tbl.Get(context.Background(), consistent, keys...)
		return len(items), err
	}
}

func query(q table.Query) func(table.Table) (int, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	return func(tbl table.Table) (int, error) {
		page, err := tbl.Query(context.Background(), q)
		return len(page.Items), err
	}
}

// TestSizesAreDynamoDBs finds, for each value, the text that fills an item up
// to 1 KB, and asks DynamoDB Local whether one byte more is too much.
func TestSizesAreDynamoDBs(t *testing.T) {
	tbl, bill := newBilled(t)
	for _, value := range []any{
		"", "ä𝄞", true, false, int64(0), int64(1), int64(10), int64(12), int64(123), int64(1000), int64(1001), int64(120),
		int64(-1), int64(-12), int64(-120), int64(1_700_000_000), int64(1_700_000_001), int64(123_456_789_012), int64(math.MaxInt64), int64(math.MinInt64),
	} {
		for more, want := range []int{1, 2} {
			item := table.Item{table.PK: "p", table.SK: "s", "value": value, "text": ""}
			item["text"] = strings.Repeat("x", 1024-item.Size()+more)
			if err := tbl.Write(t.Context(), table.Delete(item.Key())); err != nil {
				t.Fatal(err)
			}
			*bill = zero
			if err := tbl.Write(t.Context(), table.Put(item)); err != nil {
				t.Fatal(err)
			}
			if bill.writes.Table != want {
				t.Errorf("%#v in an item of %d bytes: DynamoDB Local counts %d units, want %d", value, item.Size(), bill.writes.Table, want)
			}
		}
	}
}
