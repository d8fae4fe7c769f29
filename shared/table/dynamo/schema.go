package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/table"
)

// Schema describes the table for who creates one: on-demand, with both indexes
// and a stream of old and new images. Time to live is a request of its own,
// TimeToLive.
func Schema(name string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keySchema(table.Primary),
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled:  aws.Bool(true),
			StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
	for _, x := range []table.Index{table.Primary, table.Owner, table.Work} {
		partition, sort := x.Keys()
		for _, attr := range []string{partition, sort} {
			in.AttributeDefinitions = append(in.AttributeDefinitions,
				types.AttributeDefinition{AttributeName: &attr, AttributeType: types.ScalarAttributeTypeS})
		}
	}
	for _, x := range []table.Index{table.Owner, table.Work} {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName:  aws.String(string(x)),
			KeySchema:  keySchema(x),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		})
	}
	return in
}

func keySchema(x table.Index) []types.KeySchemaElement {
	partition, sort := x.Keys()
	return []types.KeySchemaElement{
		{AttributeName: &partition, KeyType: types.KeyTypeHash},
		{AttributeName: &sort, KeyType: types.KeyTypeRange},
	}
}

// TimeToLive switches on the deletion of expired items.
func TimeToLive(name string) *dynamodb.UpdateTimeToLiveInput {
	return &dynamodb.UpdateTimeToLiveInput{
		TableName: &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(table.ExpiresAt),
			Enabled:       aws.Bool(true),
		},
	}
}
