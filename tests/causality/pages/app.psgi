use HTTP::Tiny;
my $http = HTTP::Tiny->new(keep_alive => 1);
sub {
	my (undef, undef, $id, $calls) = split m{/}, $_[0]{PATH_INFO};
	$http->get("http://127.0.0.1:$ENV{BACK}/d/$id/$_") for 1 .. $calls;
	[200, ['Content-Type' => 'text/plain'], ["done $id\n"]];
};
