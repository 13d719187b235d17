// grpc_end: one end of gRPC in C++, without generated code.
// grpc_end server ADDRESS [CERTIFICATE_AND_KEY]    grpc_end client TARGET COUNT [CERTIFICATE]
// The server answers each call with the traceparents that it received; the client prints these.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iostream>
#include <sstream>

static std::string file(const char *path)
{
	std::ifstream in(path);
	std::stringstream text;
	text << in.rdbuf();
	return text.str();
}

static grpc::ByteBuffer buffer(const std::string &text)
{
	grpc::Slice slice(text);
	return grpc::ByteBuffer(&slice, 1);
}

struct Call {
	grpc::GenericServerContext context;
	grpc::GenericServerAsyncReaderWriter stream{&context};
	grpc::ByteBuffer request;
	enum { ASKED, READ, ANSWERED } state = ASKED;
};

static int serve(const char *address, const char *pem)
{
	grpc::AsyncGenericService service;
	grpc::ServerBuilder builder;
	std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
	if (pem) {
		grpc::SslServerCredentialsOptions options;
		options.pem_key_cert_pairs.push_back({file(pem), file(pem)});
		credentials = grpc::SslServerCredentials(options);
	}
	builder.AddListeningPort(address, credentials);
	builder.RegisterAsyncGenericService(&service);
	auto queue = builder.AddCompletionQueue();
	auto server = builder.BuildAndStart();
	if (!server)
		return 1;
	auto ask = [&] {
		Call *call = new Call;
		service.RequestCall(&call->context, &call->stream, queue.get(), queue.get(), call);
	};
	ask();
	void *tag;
	bool ok;
	while (queue->Next(&tag, &ok)) {
		Call *call = static_cast<Call *>(tag);
		if (!ok || call->state == Call::ANSWERED) {
			delete call;
			continue;
		}
		if (call->state == Call::ASKED) {
			ask();
			call->state = Call::READ;
			call->stream.Read(&call->request, call);
			continue;
		}
		std::string seen;
		for (auto &field : call->context.client_metadata())
			if (field.first == "traceparent")
				seen += (seen.empty() ? "" : ";") + std::string(field.second.data(), field.second.size());
		call->state = Call::ANSWERED;
		call->stream.WriteAndFinish(buffer(seen), grpc::WriteOptions(), grpc::Status::OK, call);
	}
	return 0;
}

static int ask(const char *target, int count, const char *pem)
{
	std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
	if (pem) {
		grpc::SslCredentialsOptions options;
		options.pem_root_certs = file(pem);
		credentials = grpc::SslCredentials(options);
	}
	grpc::GenericStub stub(grpc::CreateChannel(target, credentials));
	for (int i = 0; i < count; i++) {
		grpc::ClientContext context;
		grpc::CompletionQueue queue;
		grpc::ByteBuffer answer;
		grpc::Status status;
		void *tag;
		bool ok;
		context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
		auto call = stub.PrepareUnaryCall(&context, "/demo.v1.LongNamedInventoryServiceForTests/Echo", buffer("x"), &queue);
		call->StartCall();
		call->Finish(&answer, &status, nullptr);
		queue.Next(&tag, &ok);
		std::vector<grpc::Slice> slices;
		if (!status.ok() || !answer.Dump(&slices).ok()) {
			std::cout << status.error_message() << "\n";
			return 1;
		}
		std::string text;
		for (auto &slice : slices)
			text.append(reinterpret_cast<const char *>(slice.begin()), slice.size());
		std::cout << text << "\n";
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && std::string(argv[1]) == "server")
		return serve(argv[2], argc > 3 ? argv[3] : nullptr);
	return argc >= 4 ? ask(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : nullptr) : 2;
}
