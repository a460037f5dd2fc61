// Command cri is a small client of the Kubernetes Container Runtime Interface
// for the tests: it calls one method and prints the answer.
//
//	cri SOCKET METHOD < request.json
//	cri exec URL < input
//	cri port-forward URL < input
//
// URL is what Exec and PortForward answer with. METHOD is a method of runtime.v1.RuntimeService or ImageService, such as
// RunPodSandbox. Request and answer are the protocol buffers' JSON form. The
// exit code is 1 where the service answers with an error, which goes to
// standard error, and 2 where the call itself is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// callTimeout is longer than any call of the tests takes on a loaded machine.
const callTimeout = 2 * time.Minute

var errNoMethod = errors.New("no such method")

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cri SOCKET METHOD < request.json")
		os.Exit(2)
	}
	var answer string
	var err error
	switch os.Args[1] {
	case "exec":
		err = streamExec(os.Args[2], os.Stdin, os.Stdout, os.Stderr)
	case "port-forward":
		err = streamPort(os.Args[2], os.Stdin, os.Stdout)
	default:
		answer, err = call(os.Args[1], os.Args[2], os.Stdin)
	}
	switch {
	case errors.Is(err, errNoMethod):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if answer != "" {
		fmt.Println(answer)
	}
}

func call(socket, name string, in io.Reader) (string, error) {
	method, err := lookUp(name)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return "", err
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal(body, request); err != nil {
		return "", fmt.Errorf("request of %s: %w", name, err)
	}
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer := dynamicpb.NewMessage(method.Output())
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	if err := conn.Invoke(ctx, path, request, answer); err != nil {
		return "", err
	}
	return protojson.Format(answer), nil
}

func lookUp(name string) (protoreflect.MethodDescriptor, error) {
	services := runtime.File_staging_src_k8s_io_cri_api_pkg_apis_runtime_v1_api_proto.Services()
	for i := range services.Len() {
		if m := services.Get(i).Methods().ByName(protoreflect.Name(name)); m != nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", name, errNoMethod)
}
