// Command restore copies into a table what it lacks of another one, which a backup was
// restored to, as `make restore` asks for. What the table has stays as it is, so it can be
// run again, and while visitors chat.
//
// Settings, from the environment: FROM and TO, names of the tables; both are required. The
// account and region are those of the AWS CLI and SDKs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Getenv("FROM"), os.Getenv("TO"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from, to string, out io.Writer) error {
	if from == "" || to == "" || from == to {
		return errors.New("FROM and TO have to name two tables: make restore FROM=parley-restored TO=…")
	}
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("read the settings for AWS: %w", err)
	}
	looked, copied, err := restore(ctx, dynamodb.NewFromConfig(c), from, to)
	fmt.Fprintf(out, "%d items of %s looked at, %d of them copied to %s\n", looked, from, copied, to)
	return err
}

// head is the sort key of a session's head (shared/parley/keys.go).
const head = "entry~"

// restore copies in two passes, the heads of sessions last: they wake who follows a
// session, for webhooks and the like, which then has to find how far it had come.
func restore(ctx context.Context, client *dynamodb.Client, from, to string) (looked, copied int, err error) {
	for _, heads := range []bool{false, true} {
		pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &from, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return looked, copied, fmt.Errorf("read %s: %w", from, err)
			}
			for _, item := range page.Items {
				sk, _ := item["sk"].(*types.AttributeValueMemberS)
				if (sk != nil && sk.Value == head) != heads {
					continue
				}
				looked++
				_, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &to, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)")})
				var there *types.ConditionalCheckFailedException
				switch {
				case errors.As(err, &there):
				case err != nil:
					return looked, copied, fmt.Errorf("write to %s: %w", to, err)
				default:
					copied++
				}
			}
		}
	}
	return looked, copied, nil
}
