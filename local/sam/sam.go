// Package sam runs the functions of template.yaml on this machine as SAM CLI does, in
// containers behind `sam local start-api`, with a table, a bucket and a secret that
// last as long as it runs. It is what `make sam-local` starts, and what the tests have
// their tour of the template through.
package sam

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"parley/functions/operator"
	"parley/shared/bucket"
	"parley/shared/parley"
	"parley/shared/table/dynamo"
	"parley/shared/token"
)

// Host is this machine's name in containers, and for browsers too: they take whatever
// ends in .localhost for the machine they run on. So links to files are good in both.
const Host = "parley.localhost"

// What the template's resources are called here: SAM tells functions their logical ids.
const (
	region     = "us-east-1"
	tableName  = "Table"
	bucketName = "Bucket"
)

// Config says what to start.
type Config struct {
	// Root is the repository's folder. Required. The programs that .ci/tools installs
	// are in its .cache; what is built goes to its .aws-sam/local.
	Root string
	// Table is the address of a DynamoDB Local. Required.
	Table string
	// Port is that of the API, on 127.0.0.1; 0 takes one that is free.
	Port int
	// Minimal has the functions run in an image made here, which needs no registry, but
	// has no certificates; else SAM gets Lambda's own.
	Minimal bool
	// Log takes what SAM and the functions say. Required.
	Log io.Writer
}

// Stack is the template, running.
type Stack struct {
	// URL is the base of the HTTP API, Lambda that of Lambda's own, where functions are
	// invoked by their logical ids; both without a slash at the end.
	URL, Lambda string
	// Engine is where the Docker or Podman is that runs the functions.
	Engine string
	// Master is the master secret, and Store another store on the same table and bucket.
	Master string
	Store  *parley.Store
	// Demo has the keys of a project.
	Demo operator.Created

	log    *locked
	keys   aws.Credentials
	mu     sync.Mutex
	ended  chan error // gets why a program ended, while the stack runs
	closes []func()   // in the order of starting
}

// Start builds the functions for this machine and returns when they can be called. Its
// error says what is missing, and then nothing that it started goes on.
func Start(ctx context.Context, c Config) (*Stack, error) {
	s := &Stack{Master: rand.Text() + rand.Text(), log: &locked{w: c.Log}, ended: make(chan error, 1),
		keys: aws.Credentials{AccessKeyID: rand.Text(), SecretAccessKey: rand.Text()}}
	if err := s.start(ctx, c); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Ended tells why one of the programs that belong to the stack is gone.
func (s *Stack) Ended() <-chan error { return s.ended }

// Close ends all programs, those that were started last first.
func (s *Stack) Close() {
	s.mu.Lock()
	closes := s.closes
	s.closes = nil
	s.mu.Unlock()
	for i := len(closes) - 1; i >= 0; i-- {
		closes[i]()
	}
}

func (s *Stack) start(ctx context.Context, c Config) error {
	sam, err := program(c.Root, "sam")
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "parley-sam-") // a short name, for a socket's has 108 bytes at most
	if err != nil {
		return err
	}
	s.onClose(func() { os.RemoveAll(folder) })
	e, err := s.openEngine(ctx, folder)
	if err != nil {
		return err
	}
	s.Engine = e.host
	architecture, image := architectures[runtime.GOARCH], ""
	if e.podman || c.Minimal {
		if image, err = e.minimalImage(ctx, sam, architecture); err != nil {
			return fmt.Errorf("image of the functions: %w", err)
		}
	}
	gateway, err := e.gateway(ctx, image+":"+tag(architecture))
	if err != nil {
		return fmt.Errorf("this machine as containers see it: %w", err)
	}
	files, err := s.serveBucket(ctx, c.Root, folder)
	if err != nil {
		return err
	}
	if err := s.store(ctx, c.Table, "http://127.0.0.1:"+files); err != nil {
		return err
	}
	return s.serveSAM(ctx, c, samCommand{path: sam, engine: e, image: image, gateway: gateway, files: "http://" + Host + ":" + files})
}

// store makes the table, the bucket and the demo project.
func (s *Stack) store(ctx context.Context, table, files string) error {
	keys := credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, "")
	items := dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: &table, Credentials: keys})
	if _, err := items.CreateTable(ctx, dynamo.Schema(tableName)); err != nil {
		return err
	}
	objects := s3.New(s3.Options{Region: region, BaseEndpoint: &files, Credentials: keys, UsePathStyle: true})
	if err := createBucket(ctx, objects); err != nil {
		return err
	}
	ring, err := token.New(token.Config{Masters: [][]byte{[]byte(s.Master)}})
	if err != nil {
		return err
	}
	s.Store, err = parley.New(parley.Config{Table: dynamo.New(dynamo.Config{Client: items, Name: tableName}), Derive: ring.Derive,
		Bucket: bucket.New(bucket.Config{Client: objects, Name: bucketName})})
	if err != nil {
		return err
	}
	// As make project has it made, by the same code.
	command, err := json.Marshal(operator.Command{CreateProject: &parley.Project{ID: "demo", Name: "Parley demo",
		PublicKeys: []string{parley.NewPublicKey(true)}, Greeting: "Hello! Ask me anything about Parley."}})
	if err != nil {
		return err
	}
	made, err := operator.Commands(s.Store, ring)(ctx, command)
	if err != nil {
		return err
	}
	s.Demo = made.(operator.Created)
	return nil
}

// createBucket makes the bucket, from which pages of any origin may read, as those of
// the template may.
func createBucket(ctx context.Context, client *s3.Client) error {
	name := bucketName
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return err
	}
	_, err := client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &name, CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET", "POST", "PUT"},
			AllowedHeaders: []string{"*"}, ExposeHeaders: []string{"ETag"}}}}})
	return err
}

// serveBucket starts an S3 server, and returns its port.
func (s *Stack) serveBucket(ctx context.Context, root, folder string) (port string, err error) {
	server, err := program(root, "s3server")
	if err != nil {
		return "", err
	}
	if port, err = freePort(); err != nil {
		return "", err
	}
	// Containers do not reach 127.0.0.1, so it listens everywhere; it checks signatures.
	command := exec.Command(server, "-address", ":"+port, "-access", s.keys.AccessKeyID, "-secret", s.keys.SecretAccessKey,
		"-any-names", // a logical id has capitals
		folder)
	return port, s.run("s3server", command, func() error { return listens(ctx, port) })
}
