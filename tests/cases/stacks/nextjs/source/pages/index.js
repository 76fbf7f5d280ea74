export default function Home() {
  return <p>hello from next</p>;
}

export function getServerSideProps() {
  return { props: {} };
}
