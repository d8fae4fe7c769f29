// S3server is the S3 server of the tests: versitygw, which checks signatures, policies
// and CORS, with objects in a folder. Its own command would bring with it, and have
// compiled, four times as much: other stores, clouds and its tests.
//
//	s3server -address 127.0.0.1:7070 -access KEY -secret SECRET FOLDER
//
// It is a module of its own, for the project does not depend on it. Its go.mod asks for
// the AWS SDK in the versions of the project's, which are then compiled once for both.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("s3server: ")
	c := embedgw.Config{
		Quiet: true, HealthPath: "/health", KeepAlive: true,
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10_000,
	}
	address := flag.String("address", "127.0.0.1:7070", "`host:port` it listens at")
	flag.StringVar(&c.RootUserAccess, "access", "", "access key `id`")
	flag.StringVar(&c.RootUserSecret, "secret", "", "secret access `key`")
	flag.BoolVar(&c.DisableStrictBucketNames, "any-names", false, "also take names of buckets that S3 would refuse")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	c.Ports = []string{*address}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, flag.Arg(0), &c); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// serve serves the objects of a folder until the context ends.
func serve(ctx context.Context, folder string, c *embedgw.Config) error {
	// What S3 knows of an object beside its bytes lies in a folder of its own: not every
	// file system has extended attributes.
	folder, err := filepath.Abs(folder) // posix changes the working directory
	if err != nil {
		return err
	}
	data, beside := filepath.Join(folder, "data"), filepath.Join(folder, "meta")
	if err := cmp.Or(os.MkdirAll(data, 0o700), os.MkdirAll(beside, 0o700)); err != nil {
		return err
	}
	sidecar, err := meta.NewSideCar(beside)
	if err != nil {
		return err
	}
	store, err := posix.New(data, sidecar, posix.PosixOpts{
		SideCarDir: beside, ValidateBucketNames: c.DisableStrictBucketNames, Concurrency: c.MaxRequests,
		CopyObjectThreshold: 5 << 30, // of S3
	})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, store, c)
}
