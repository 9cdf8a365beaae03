# Rendered from fleet.toml by `make render`: change that, not this.
#
#   docker buildx bake                            all images, for all platforms
#   docker buildx bake token ask                  some of them
#   docker buildx bake --load --set '*.platform=linux/amd64' --set '*.attest='
#                                                 into the engine on this machine
#   REGISTRY=registry.example.com docker buildx bake --push
#
# Attestations and several platforms need the containerd image store or a builder of the driver
# `docker-container`.

variable "REGISTRY" {
  default = ""
}

variable "REPOSITORY" {
  default = "tracemypods"
}

variable "VERSION" {
  default = "0.1.0"
}

# The commit that is built: REVISION="$(git rev-parse HEAD)".
variable "REVISION" {
  default = ""
}

variable "BASE" {
  default = "docker.io/library/python:3.13-slim-trixie"
}

# A file with all authorities that the build is to trust (PEM). It gets into no layer.
variable "CERTIFICATES" {
  default = ""
}

function "tags" {
  params = [name]
  result = ["${REGISTRY}${equal(REGISTRY, "") ? "" : "/"}${REPOSITORY}/${name}:${VERSION}"]
}

group "default" {
  targets = ["token", "ask", "embedding", "vector", "order", "payment", "deliver", "frontend", "razorpay"]
}

target "common" {
  context    = "."
  dockerfile = "deploy/images/Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  attest     = ["type=sbom", "type=provenance,mode=max"]
  secret     = equal(CERTIFICATES, "") ? [] : ["id=certificates,src=${CERTIFICATES}"]
  args = {
    BASE     = BASE
    VERSION  = VERSION
    REVISION = REVISION
  }
}

target "token" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("token")
  args = {
    SERVICE = "token"
    SUMMARY = "Issues, checks and revokes access tokens"
  }
}

target "ask" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("ask")
  args = {
    SERVICE = "ask"
    SUMMARY = "Answers questions with self-hosted models, in its own and in OpenAI's wire format"
  }
}

target "embedding" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("embedding")
  args = {
    SERVICE = "embedding"
    SUMMARY = "Turns texts into vectors"
  }
}

target "vector" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("vector")
  args = {
    SERVICE = "vector"
    SUMMARY = "Keeps vectors and finds the nearest ones"
  }
}

target "order" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("order")
  args = {
    SERVICE = "order"
    SUMMARY = "Sells plans: e-mail codes, orders, and what they are owed"
  }
}

target "payment" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("payment")
  args = {
    SERVICE = "payment"
    SUMMARY = "The only one that talks to Razorpay: orders, webhooks, refunds, reconciliation"
  }
}

target "deliver" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("deliver")
  args = {
    SERVICE = "deliver"
    SUMMARY = "Numbers, renders, keeps and mails invoices and credit notes"
    EXTRAS = "[html]"
    SYSTEM_PACKAGES = "libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0"
  }
}

target "frontend" {
  inherits = ["common"]
  target   = "frontend"
  tags     = tags("frontend")
  args = {
    SERVICE = "frontend"
    SUMMARY = "Serves the pages"
  }
}

target "razorpay" {
  inherits = ["common"]
  target   = "service"
  tags     = tags("razorpay")
  args = {
    SERVICE = "razorpay"
    SUMMARY = "Razorpay's API, checkout and webhooks as a stand-in: no money moves"
    PROJECT = "libs/local"
    MODULE = "tracemypods.local.sandboxes.razorpay"
  }
}
