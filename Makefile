# make run      Parley on this machine: needs Go and nothing else
# make sam-local  the functions in containers, with SAM; needs Docker or Podman
# make token    a token of somebody for the hub under make run: SUB=user_1
# make test     all tests; gets what they need first
# make check    what the tests do not see: format, vet, linters, template, builds
# make bench    measures costs and times; CHECK=1 fails if a goal is missed
# make mutants  changes that no test notices; SAMPLE=300, SEED=1, PACKAGES=…, WITH=…
# make build    the functions for Lambda, as `sam deploy` wants them
# make deploy   to AWS: ENV=dev (default) or prod
# make restore  on AWS: FROM=parley-restored TO=…, from a table that a backup was restored to
# make project  on AWS: ID=shop TITLE='The Shop' ORIGINS=https://shop.example.com

# What samconfig.toml calls default is dev.
environment = $(or $(filter dev prod,$(or $(ENV),dev)),$(error ENV is dev or prod))
settings = $(if $(filter prod,$(environment)),--config-env prod)
sam = $(or $(shell command -v sam),.cache/sam/bin/sam)

.PHONY: run sam-local token test check bench mutants build deploy project restore

# Settings: PORT, HOST, RESET, AGENT, MODEL, OPENAI_API_KEY, OPENAI_BASE_URL.
run:
	@test -e .cache/bin/parley || echo 'Compiling, which takes a minute or two the first time.'
	@go build -o .cache/bin/parley ./local && exec .cache/bin/parley

# Settings: PORT, IMAGE=minimal, DOCKER_HOST.
sam-local:
	@for tool in java dynamodb s3server sam; do .ci/tools/$$tool || exit 1; done
	@mkdir -p .cache/bin
	@echo 'Compiling, which takes some minutes the first time.'
	@go build -o .cache/bin/sam-local ./local/sam/start && .ci/dynamodb .cache/bin/sam-local

token:
	@go build -o .cache/bin/parley ./local && exec .cache/bin/parley token '$(SUB)'

test:
	@.ci/test

check:
	@.ci/check

bench:
	@.ci/setup && cd local/bench && go test -count=1 -timeout 30m -report

# Of the tests that run on both tables, the embedded one is enough here.
mutants:
	@.ci/dynamodb go run ./.ci/mutate -sample $(or $(SAMPLE),300) -seed $(or $(SEED),1) -skip 'DynamoDB|/^dynamodb$$|//^dynamodb$$' \
		$(if $(WITH),-with $(WITH)) $(or $(PACKAGES),./shared/run ./shared/parley ./shared/table ./shared/table/bolt ./shared/table/dynamo)

build: .sam
	$(sam) build $(settings)

deploy: build
	$(sam) deploy $(settings)

# The settings, which make exports, are those of local/project.
project:
	@STACK=$(if $(filter prod,$(environment)),parley,parley-dev) go run ./local/project

restore:
	@go run ./local/restore

.PHONY: .sam
.sam:
	@command -v sam >/dev/null || .ci/tools/sam

# sam calls build-ChatFunction to have functions/chat compiled. norpc leaves out
# what an old protocol drags in (a third of the binary), and without the
# revision of the checkout a function that did not change is not deployed again.
build-%Function:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(or $(LAMBDA_GOARCH),arm64) go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags=-s \
		-o $(ARTIFACTS_DIR)/bootstrap ./functions/$(shell echo $* | tr A-Z a-z)/bootstrap
