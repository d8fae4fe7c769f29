package awstest

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"parley/shared/table"
	"parley/shared/table/dynamo"
)

// Changes returns all changes so far of a StreamedTable, as its stream has them.
func Changes(t testing.TB, tbl *dynamo.Table) []table.Change {
	t.Helper()
	client := DynamoDB(t)
	description, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(tbl.Name())})
	if err != nil {
		t.Fatal(err)
	}
	options := client.Options()
	stream := streamReader{
		TB:  t,
		arn: description.Table.LatestStreamArn,
		client: dynamodbstreams.New(dynamodbstreams.Options{
			Region:       options.Region,
			BaseEndpoint: options.BaseEndpoint,
			Credentials:  options.Credentials,
		}),
	}
	return stream.all()
}

type streamReader struct {
	testing.TB
	client *dynamodbstreams.Client
	arn    *string
}

func (s streamReader) all() []table.Change {
	s.Helper()
	description, err := s.client.DescribeStream(s.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: s.arn})
	if err != nil {
		s.Fatal(err)
	}
	var changes []table.Change
	for _, shard := range description.StreamDescription.Shards {
		changes = append(changes, s.shard(shard)...)
	}
	return changes
}

// shard reads a shard to its end, or until it has no more for now.
func (s streamReader) shard(shard types.Shard) []table.Change {
	s.Helper()
	from, err := s.client.GetShardIterator(s.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn:         s.arn,
		ShardId:           shard.ShardId,
		ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		s.Fatal(err)
	}
	var changes []table.Change
	for at := from.ShardIterator; at != nil; {
		out, err := s.client.GetRecords(s.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: at})
		if err != nil {
			s.Fatal(err)
		}
		if len(out.Records) == 0 {
			break
		}
		for _, r := range out.Records {
			changes = append(changes, table.Change{Old: s.item(r.Dynamodb.OldImage), New: s.item(r.Dynamodb.NewImage)})
		}
		at = out.NextShardIterator
	}
	return changes
}

// item decodes an image; nil if there is none.
func (s streamReader) item(image map[string]types.AttributeValue) table.Item {
	s.Helper()
	if len(image) == 0 {
		return nil
	}
	item := table.Item{}
	for name, value := range image {
		switch value := value.(type) {
		case *types.AttributeValueMemberS:
			item[name] = value.Value
		case *types.AttributeValueMemberBOOL:
			item[name] = value.Value
		case *types.AttributeValueMemberN:
			n, err := strconv.ParseInt(value.Value, 10, 64)
			if err != nil {
				s.Fatal(err)
			}
			item[name] = n
		default:
			s.Fatalf("attribute %s of a stream record is a %T", name, value)
		}
	}
	return item
}
