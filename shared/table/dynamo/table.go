// Package dynamo is the table on DynamoDB.
package dynamo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/table"
)

// A BatchGetItem may leave keys out when it meets a throttle or 16 MB. They are
// asked for again after 25, 50, 100 and 200 ms, less up to a half: as long as
// the SDK would take for a throttle.
const (
	batchAttempts = 5
	batchBackoff  = 25 * time.Millisecond
)

// Config says which table.
type Config struct {
	// Client sends the requests. Required.
	Client *dynamodb.Client
	// Name is the table's name. Required.
	Name string
	// Now is the clock of time to live; nil means time.Now.
	Now func() time.Time
}

// Table is a table.Table in DynamoDB. Its methods may be called from many
// goroutines.
type Table struct {
	client *dynamodb.Client
	name   string
	now    func() time.Time
}

var _ table.Table = (*Table)(nil)

// New returns the table. It sends nothing.
func New(c Config) *Table {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Table{client: c.Client, name: c.Name, now: c.Now}
}

// Name returns the table's name.
func (t *Table) Name() string { return t.name }

// Get implements table.Table: a GetItem of one key, a BatchGetItem of several.
func (t *Table) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	if err := table.CheckGet(keys); err != nil {
		return nil, err
	}
	if len(keys) > 1 {
		return t.getMany(ctx, consistent, keys)
	}
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &t.name,
		Key:            encodeKey(keys[0]),
		ConsistentRead: &consistent,
	})
	if err != nil {
		return nil, translateRead(ctx, err)
	}
	item, err := t.living(out.Item)
	return []table.Item{item}, err
}

func (t *Table) getMany(ctx context.Context, consistent bool, keys []table.Key) ([]table.Item, error) {
	asked := make([]map[string]types.AttributeValue, len(keys))
	position := make(map[table.Key]int, len(keys))
	for n, k := range keys {
		asked[n], position[k] = encodeKey(k), n
	}
	request := map[string]types.KeysAndAttributes{t.name: {Keys: asked, ConsistentRead: &consistent}}
	items := make([]table.Item, len(keys))
	for attempt := range batchAttempts {
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
		out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request})
		if err != nil {
			return nil, translateRead(ctx, err)
		}
		for _, stored := range out.Responses[t.name] {
			item, err := t.living(stored)
			if err != nil {
				return nil, err
			}
			if item != nil {
				items[position[item.Key()]] = item
			}
		}
		if request = out.UnprocessedKeys; len(request) == 0 {
			return items, nil
		}
	}
	return nil, fmt.Errorf("%w: keys left unprocessed %d times", table.ErrUnavailable, batchAttempts)
}

// pause waits before an attempt, not before the first.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	longest := batchBackoff << (attempt - 1)
	select {
	case <-time.After(longest/2 + rand.N(longest/2)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Query implements table.Table.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := q.Check(); err != nil {
		return table.Page{}, err
	}
	if q.To != "" && q.From > q.To {
		return table.Page{}, ctx.Err() // DynamoDB refuses an empty range
	}
	out, err := t.client.Query(ctx, t.queryInput(q))
	if err != nil {
		return table.Page{}, translateRead(ctx, err)
	}
	var page table.Page
	for _, stored := range out.Items {
		item, err := t.living(stored)
		if err != nil {
			return table.Page{}, err
		}
		if item != nil {
			page.Items = append(page.Items, item)
		}
	}
	page.Next, err = decodeItem(out.LastEvaluatedKey)
	return page, err
}

func (t *Table) queryInput(q table.Query) *dynamodb.QueryInput {
	partition, sort := q.Index.Keys()
	var e expression
	condition := e.name(partition) + " = " + e.value(q.Partition)
	switch {
	case q.From != "" && q.To != "":
		condition += " AND " + e.name(sort) + " BETWEEN " + e.value(q.From) + " AND " + e.value(q.To)
	case q.From != "":
		condition += " AND " + e.name(sort) + " >= " + e.value(q.From)
	case q.To != "":
		condition += " AND " + e.name(sort) + " <= " + e.value(q.To)
	}
	in := &dynamodb.QueryInput{
		TableName:                 &t.name,
		KeyConditionExpression:    &condition,
		ExpressionAttributeNames:  e.names,
		ExpressionAttributeValues: e.values,
		ConsistentRead:            &q.Consistent,
		Limit:                     aws.Int32(int32(q.Limit)),
		ScanIndexForward:          aws.Bool(!q.Descending),
	}
	if q.Index != table.Primary {
		in.IndexName = aws.String(string(q.Index))
	}
	if q.Start != nil {
		in.ExclusiveStartKey = encodeItem(q.Index.Position(q.Start))
	}
	return in
}

// living decodes an item; nil if there is none or it has expired.
func (t *Table) living(stored map[string]types.AttributeValue) (table.Item, error) {
	item, err := decodeItem(stored)
	if err != nil || item.Expired(t.now()) {
		return nil, err
	}
	return item, nil
}
