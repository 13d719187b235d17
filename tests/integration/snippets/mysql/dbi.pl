use strict;
use DBI;
my ($driver) = @ARGV;
my $db = DBI->connect("DBI:$driver:database=d1;host=127.0.0.1;port=$ENV{DB_PORT}", 't', 'pw',
	{ RaiseError => 0, PrintError => 0, lc($driver) . '_server_prepare' => 1 }) or die $DBI::errstr;
my $stmt = $db->prepare('select v from t where id >= ?');
for my $id (1, 2) {
	$stmt->execute($id);
	while (my ($v) = $stmt->fetchrow_array) { print "$v\n" }
}
$stmt->finish;
$db->do("insert into t values (1, 'x')");
print $db->err, "\n";
$db->disconnect;
