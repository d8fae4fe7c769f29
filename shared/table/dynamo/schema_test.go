package dynamo_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/awstest"
	"parley/shared/table"
)

// TestSchema asks the service what it understood.
func TestSchema(t *testing.T) {
	client, tbl := awstest.DynamoDB(t), awstest.StreamedTable(t, time.Now)
	name := tbl.Name()
	out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	d := out.Table
	if d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		t.Errorf("billing mode %s, want on demand", d.BillingModeSummary.BillingMode)
	}
	if s := d.StreamSpecification; s == nil || !*s.StreamEnabled || s.StreamViewType != types.StreamViewTypeNewAndOldImages {
		t.Errorf("stream %+v, want old and new images", s)
	}
	if len(d.GlobalSecondaryIndexes) != 2 {
		t.Errorf("%d indexes, want 2", len(d.GlobalSecondaryIndexes))
	}
	for _, x := range d.GlobalSecondaryIndexes {
		partition, sort := table.Index(*x.IndexName).Keys()
		if *x.KeySchema[0].AttributeName != partition || *x.KeySchema[1].AttributeName != sort || x.Projection.ProjectionType != types.ProjectionTypeKeysOnly {
			t.Errorf("index %s has keys %s and %s and projects %s, want %s, %s and keys only", *x.IndexName,
				*x.KeySchema[0].AttributeName, *x.KeySchema[1].AttributeName, x.Projection.ProjectionType, partition, sort)
		}
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil || *ttl.TimeToLiveDescription.AttributeName != table.ExpiresAt {
		t.Errorf("time to live is %+v (%v), want on %s", ttl, err, table.ExpiresAt)
	}
}
